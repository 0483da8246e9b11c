"""Operations on runs answer the objects that their commands print."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest
from api_commands import Printed
from httpx import AsyncClient
from support import played, script, settled
from typed import COMMAND

from engine.domain.model import Pause, Run
from engine.engine import Engine
from tui.cli.json import DOCUMENTS, ListedRunJson, RunJson

PASSING = ("elapsed_s", "last_event_at", "seq")
"""Keys whose values change by themselves, or with each change."""


def still(value: Any) -> Any:
    """Return an answer without what differs between two moments."""
    if isinstance(value, list):
        return [still(one) for one in value]
    return {key: one for key, one in value.items() if key not in PASSING}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/runs?limit=1000", ["ls"]),
        ("/v1/runs?status=failed&sort=title", ["ls", "--status", "failed", "--sort", "title"]),
        ("/v1/runs?filter=say&since=1h", ["ls", "say", "--since", "1h"]),
        ("/v1/runs?archived=true", ["ls", "--archived"]),
        ("/v1/runs/{run}/messages", ["send", "{run}", "--list"]),
    ],
)
async def test_reading(
    path: str, words: list[str], engine: Engine, client: AsyncClient, printed: Printed
) -> None:
    run, other = await played(engine), await played(engine, "fail")
    names = {"run": run.id, "other": other.id}
    answer = await client.get(path.format(**names))
    assert answer.status_code == 200, answer.text
    (wanted,) = await printed(*(word.format(**names) for word in words))
    assert still(answer.json()) == still(wanted)


async def test_waiting(engine: Engine, client: AsyncClient) -> None:
    run, other = (await played(engine)).id, (await played(engine, "fail")).id
    command = await asyncio.create_subprocess_exec(
        *COMMAND, "wait", run, other, "--json", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await command.communicate()
    one = (await client.get(f"/v1/runs/{run}/wait")).json()
    several = (await client.get(f"/v1/wait?run={run}&run={other}")).json()
    assert still(several) == still(json.loads(out))
    assert still(one) == still(several[0])


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("post", "/runs/{run}/tags", {"add": ["a"]}, ["tag", "{run}", "a"]),
        ("put", "/runs/{run}/note", {"text": "x"}, ["note", "{run}", "x"]),
        ("post", "/dismiss", {"runs": ["{run}"]}, ["dismiss", "{run}"]),
        ("post", "/undismiss", {"runs": ["{run}"]}, ["undismiss", "{run}"]),
        ("post", "/archive", {"runs": ["{run}"]}, ["archive", "{run}"]),
        ("post", "/unarchive", {"runs": ["{run}"]}, ["unarchive", "{run}"]),
        ("post", "/runs/{run}/dismiss", None, ["dismiss", "{run}"]),
        ("post", "/runs/{run}/archive", None, ["archive", "{run}"]),
    ],
)
async def test_annotations(
    method: str,
    path: str,
    body: dict[str, Any] | None,
    words: list[str],
    engine: Engine,
    client: AsyncClient,
    printed: Printed,
) -> None:
    run = (await played(engine)).id
    text = msgspec.json.encode(body).decode().replace("{run}", run) if body else ""
    answer = await client.request(method, f"/v1{path}".replace("{run}", run), content=text)
    assert answer.status_code == 200, answer.text
    (wanted,) = await printed(*(word.format(run=run) for word in words))
    found = answer.json()
    assert still(found if isinstance(found, list) or isinstance(wanted, dict) else [found]) == (
        still(wanted)
    )


def queued(run: Any) -> Any:
    """Return a queued run without what tells it from another one."""
    own = ("id", "queue", "created_at", "queued_at", "title", "prompt", "batch", "usage", "forked")
    return {key: one for key, one in still(run).items() if key not in own}


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (
            "/runs",
            {"prompt": "x", "empty": True, "agent": "simulated", "project": "p", "retries": 2},
            ["run", "x", "--empty", "--agent", "simulated", "--project", "p", "--retries", "2"],
        ),
        ("/runs/{run}/retry", {"prompt": "x"}, ["retry", "{run}", "--prompt", "x"]),
        ("/runs/{run}/retry", {"fresh": True}, ["retry", "{run}", "--fresh"]),
        ("/runs/{run}/resume", {"message": "x"}, ["resume", "{run}", "x"]),
        ("/runs/{run}/fork", {"prompt": "x"}, ["fork", "{run}", "x"]),
        ("/runs/{run}/messages", {"text": "x"}, ["send", "{run}", "x"]),
    ],
)
async def test_starting(
    path: str,
    body: dict[str, Any],
    words: list[str],
    engine: Engine,
    client: AsyncClient,
    printed: Printed,
) -> None:
    run, other = await played(engine), await played(engine)
    await engine.set_pause(Pause("a test"))
    answer = await client.post(f"/v1{path}".replace("{run}", run.id), json=body)
    assert answer.status_code in (200, 201), answer.text
    detach = [] if words[0] == "send" else ["--detach"]
    (wanted,) = await printed(*(word.format(run=other.id) for word in words), *detach)
    assert queued(answer.json()).keys() == queued(wanted).keys()
    assert msgspec.convert(answer.json(), RunJson).attempt == wanted["attempt"]
    for each in await engine.runs(statuses=["queued"]):
        await engine.cancel(each.id)


async def test_cancelling(engine: Engine, client: AsyncClient, printed: Printed) -> None:
    runs: list[Run] = []
    await engine.set_pause(Pause("a test"))
    for _ in range(3):
        body = {"prompt": script("say x"), "empty": True, "agent": "simulated", "title": "t"}
        runs.append(await engine.find((await client.post("/v1/runs", json=body)).json()["id"]))
    one = (await client.post(f"/v1/runs/{runs[0].id}/cancel")).json()
    several = (await client.post("/v1/cancel", json={"runs": [runs[1].id]})).json()
    (wanted,) = await printed("cancel", runs[2].id)
    assert one.keys() == several[0].keys() == wanted[0].keys()
    assert one["status"] == several[0]["status"] == wanted[0]["status"] == "cancelled"
    await settled(engine)


def test_shapes_are_those_of_the_commands() -> None:
    assert DOCUMENTS["ls"] == list[ListedRunJson]
    assert DOCUMENTS["cancel"] == list[RunJson]
