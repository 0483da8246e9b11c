"""Webhooks on the command line: told after the command has ended, listed, tested, sent again."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Awaitable, Callable

import pytest
from doorstep import ENV, SECRET, Doorstep, doorstep
from test_cli_json import _fits
from typed import Result, Swarm

from engine.config.paths import Paths
from tui.cli import json

SETTINGS = """webhooks:
- name: ci
  url: {url}?token=hide-this-one
  secret_env: {env}
  events: [run.succeeded, queue.paused]
notify: {{apprise: ['json://localhost/hide-this-too']}}
"""


Do = Callable[..., Awaitable[Result]]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV, SECRET)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


async def gone_home(paths: Paths) -> None:
    """Wait for the process in the background, which has sent something, to end."""
    with paths.lock.open("a+") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)


@pytest.mark.usefixtures("settings")
async def test_receivers_from_the_first_message_to_the_last(swarm: Swarm, paths: Paths) -> None:
    async def do(*words: str) -> Result:
        done = await asyncio.to_thread(swarm, *words)
        assert "hide-this" not in done.out + done.err
        return done

    async with doorstep() as place:
        paths.config.write_text(SETTINGS.format(url=place.url, env=ENV))
        await _listed_and_tested(place, do)
        message = await _refused(place, do, paths)
        place.answers = lambda got: 200
        again = await do("webhooks", "retry", "ci", "--json")
        assert again.json == {"again": 1}
        _fits(again.json, json.DOCUMENTS["webhooks retry"])
        await place.until(lambda: [message] * 2 == _ends(place))
        await gone_home(paths)
        assert (await do("pause")).code == 0  # nobody supervises: it sees to it itself
        await place.until(lambda: place.got[-1].type == "queue.paused")
        await gone_home(paths)
    listed = (await do("webhooks", "deliveries", "ci")).out
    assert listed.count("delivered") == 2 and "200 OK: said" in listed


def _ends(place: Doorstep) -> list[str]:
    return [got.id for got in place.got if got.type == "run.succeeded"]


async def _listed_and_tested(place: Doorstep, do: Do) -> None:
    (receiver, people) = (await do("webhooks", "--json")).json
    _fits([receiver, people], json.DOCUMENTS["webhooks"])
    assert (receiver["state"], receiver["address"]) == ("ok", f"{place.url}?***")
    assert (people["name"], people["address"]) == ("apprise:1", "json://***")
    tested = await do("webhooks", "test", "ci", "--json")
    _fits(tested.json, json.DOCUMENTS["webhooks test"])
    assert [got.type for got in place.got] == ["test"]
    for words in (["webhooks"], ["config"], ["config", "--json"]):
        assert "ci" in (await do(*words)).out


async def _refused(place: Doorstep, do: Do, paths: Paths) -> str:
    place.answers = lambda got: 410
    done = await do("run", "--empty", "--agent", "simulated", "sim: say fine")
    assert (done.code, done.err) == (0, "")
    await place.until(lambda: _ends(place))
    await gone_home(paths)
    (told,) = (await do("webhooks", "deliveries", "--json")).json
    _fits([told], json.DOCUMENTS["webhooks deliveries"])
    assert (told["state"], told["type"], told["answer"]["code"]) == ("parked", "run.succeeded", 410)
    assert (await do("webhooks", "--json")).json[0]["state"] == "parked"
    refused = await do("webhooks", "test", "ci")
    assert refused.code == 3 and "WEBHOOK_FAILED" in refused.err and "410 Gone" in refused.err
    return told["id"]


def test_what_is_not_there_is_said(swarm: Swarm) -> None:
    assert swarm("webhooks").out == "There are no receivers in the settings.\n"
    assert swarm("webhooks", "test").out == "There are no receivers in the settings.\n"
    for words in (["test", "nobody"], ["retry", "msg_1"], ["deliveries", "nobody"]):
        done = swarm("webhooks", *words, "--json")
        assert done.code == 3 and done.json["error"]["code"] == "WEBHOOK_NOT_FOUND"
    assert swarm("webhooks", "retry").code == 2
