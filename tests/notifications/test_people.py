"""People, told by the real Apprise: what they hear, and that nobody waits for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from support import becomes, quick, settled, spec, supervising

from engine.config.addresses import Address
from engine.config.paths import Paths
from engine.config.settings import NotificationSettings
from engine.domain.errors import UserError
from engine.domain.model import Pause
from engine.engine import Engine, ReceiverHealth
from engine.notifications import apprise, deliverer

# Apprise's own plug-ins use what Python will drop one day.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Board(BaseHTTPRequestHandler):
    """Takes what Apprise's own JSON address posts; one that is told to hang answers late."""

    told: list[dict[str, Any]] = []  # noqa: RUF012  emptied by the fixture
    go_on = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.go_on.wait(20)
        self.told.append(json.loads(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[Address]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    Board.told.clear()
    Board.go_on.set()
    with ThreadingHTTPServer(("127.0.0.1", 0), Board) as server:
        threading.Thread(target=server.serve_forever).start()
        yield Address(f"json://user:pass-word@127.0.0.1:{server.server_port}/board")
        Board.go_on.set()
        server.shutdown()


async def test_they_hear_of_failures_and_of_a_batch_once(paths: Paths, address: Address) -> None:
    async with supervising(paths, notify=NotificationSettings(apprise=(address,))) as engine:
        await engine.set_pause(Pause("they know that themselves"))
        for ending in ("say fine", "fail quota", "fail quota"):
            await engine.start(spec(ending, batch="b1"))
        await engine.start(spec("say fine"))
        await engine.set_pause(None)
        await settled(engine)
        alone = await engine.start(spec("fail quota", title="one \x1b]52;c;QQ==\x07 alone"))
        await settled(engine)
        await becomes(lambda: len(Board.told) == 2)
        (shown,) = await engine.notifications.receivers()
    told = {one["title"]: one["message"] for one in Board.told}
    assert told.keys() == {"Batch b1 has ended", "Failed: one alone"}
    assert told["Batch b1 has ended"] == "2 failed, 1 succeeded"
    assert told["Failed: one alone"].startswith(f"a project · {alone.id} (simulated)\n")
    assert (shown.address, shown.condition) == ("json://***", ReceiverHealth.OK)


async def test_one_that_hangs_keeps_nobody_waiting(
    paths: Paths, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apprise, "LIMIT_S", 0.1)
    monkeypatch.setattr(deliverer, "FIRST_S", 0.05)
    Board.go_on.clear()
    async with supervising(paths, notify=NotificationSettings(apprise=(address,))) as engine:
        await engine.start(spec("fail quota"))
        await settled(engine)
        with pytest.raises(UserError, match=r"no answer within 0\.1 s"):
            await engine.notifications.test("apprise:1")
        monkeypatch.setattr(apprise, "LIMIT_S", 20.0)
        Board.go_on.set()
        await becomes(lambda: any(one["title"].startswith("Failed") for one in Board.told))


async def test_what_is_missing_is_said(
    paths: Paths, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    nonsense = Address("nonsense://a-secret-word")
    config = quick(notify=NotificationSettings(apprise=(address, nonsense)))
    async with Engine.open(paths, config) as engine:
        with pytest.raises(UserError, match="does not understand") as failed:
            await engine.notifications.test("apprise:2")
        assert "a-secret-word" not in repr(failed.value.info)
        monkeypatch.setattr(apprise, "find_spec", lambda name: None)
        with pytest.raises(UserError) as missing:
            await engine.notifications.test("apprise:1")
        assert missing.value.code == "NOTIFY_MISSING" and "notify" in missing.value.recovery
        found = await engine.doctor.examine()
    (said,) = [it for it in found if it.name == "webhooks"]
    assert said.message == missing.value.message and not Board.told
