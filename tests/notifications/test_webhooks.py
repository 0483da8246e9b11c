"""Webhooks, sent by a real engine to a real receiver that checks every signature."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import closing
from dataclasses import replace

import pytest
from doorstep import BIG, ENV, SECRET, Doorstep, doorstep
from support import LIMIT_S, becomes, quick, settled, spec, supervising

from engine.config.paths import Paths
from engine.config.settings import EventName, WatchdogSettings
from engine.domain.errors import UserError
from engine.domain.messages import Delivery, DeliveryState
from engine.domain.model import Pause
from engine.engine import CheckHealth, Engine, ReceiverHealth
from engine.notifications import deliverer, webhook


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV, SECRET)
    monkeypatch.setattr(deliverer, "FIRST_S", 0.02)
    monkeypatch.setattr(deliverer, "FACTOR", 1.2)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def place() -> AsyncGenerator[Doorstep]:
    async with doorstep() as opened:
        yield opened


async def comes(holds: Callable[[], Awaitable[object]]) -> None:
    """Wait for what the database will say; nobody tells us, so look again and again."""
    async with asyncio.timeout(LIMIT_S):
        while not await holds():  # noqa: ASYNC110  nothing announces it
            await asyncio.sleep(0.01)


async def delivered(engine: Engine) -> None:
    """Wait until nothing waits for a receiver."""

    async def is_so() -> bool:
        return not await engine.notifications.owed()

    await comes(is_so)


async def all_tried(engine: Engine, receiver: str) -> list[Delivery]:
    """Wait until each message for a receiver was tried, and return them."""
    found: list[Delivery] = []

    async def is_so() -> bool:
        found[:] = await engine.notifications.deliveries(receiver=receiver)
        return all(delivery.tries for delivery in found)

    await comes(is_so)
    return found


async def test_each_receiver_is_told_what_it_chose(paths: Paths, place: Doorstep) -> None:
    failures = place.hook("failures", events=(EventName("run.failed"),))
    async with (
        doorstep() as other,
        supervising(paths, webhooks=(failures, other.hook("all"))) as engine,
    ):
        good = await engine.start(spec("say fine"))
        bad = await engine.start(spec("fail quota"))
        gone = await engine.start(replace(spec("hang"), not_before=4e9))
        await engine.cancel(gone.id)
        await settled(engine)
        await engine.set_pause(Pause("enough"))
        await engine.set_pause(Pause("enough, I said"))
        await delivered(engine)
        shown = await engine.notifications.receivers()
    (failed,) = place.got
    assert (failed.type, failed.data["id"], failed.data["error"]["code"]) == (
        "run.failed",
        bad.id,
        "QUOTA_EXCEEDED",
    )
    assert failed.headers["content-type"] == "application/json"
    told = {got.data.get("id"): got.type for got in other.got}
    assert told == {
        good.id: "run.succeeded",
        bad.id: "run.failed",
        gone.id: "run.cancelled",
        None: "queue.paused",
    }
    paused = {
        "reason": "enough",
        "waiting_for": "user",
        "until": None,
        "agent": None,
        "account": None,
        "by_user": True,
    }
    assert other.got[-1].data == {**paused, "by_user": True}
    assert len(set(other.ids())) == len(other.got) == 4
    assert [(one.condition, one.waiting) for one in shown] == [(ReceiverHealth.OK, 0)] * 2


async def test_a_stall_and_the_end_are_told_in_order(paths: Paths, place: Doorstep) -> None:
    stalls = WatchdogSettings(silent_s=0.2, first_event_s=0.2, action="fail")
    async with supervising(paths, webhooks=(place.hook(),), watchdog=stalls, grace_s=0.1) as engine:
        run = await engine.start(spec("hang"))
        await settled(engine)
        await delivered(engine)
    assert [got.type for got in place.got] == ["run.stalled", "run.failed"]
    assert [got.data["id"] for got in place.got] == [run.id, run.id]


async def test_a_batch_is_told_when_its_last_run_has_ended(paths: Paths, place: Doorstep) -> None:
    only = place.hook(events=(EventName("batch.finished"),))
    async with supervising(paths, webhooks=(only,)) as engine:
        await engine.set_pause(Pause("until all are there"))
        for ending in ("say fine", "fail quota", "say fine"):
            await engine.start(spec(ending, batch="b1"))
        await engine.set_pause(None)
        await settled(engine)
        await delivered(engine)
    assert place.got[-1].type == "batch.finished"
    assert place.got[-1].data == {
        "id": "b1",
        "project": "a project",
        "runs": 3,
        "counts": {"failed": 1, "succeeded": 2},
    }


async def test_a_batch_cancelled_in_one_step_is_told_once(paths: Paths, place: Doorstep) -> None:
    only = place.hook(events=(EventName("batch.finished"),))
    async with supervising(paths, webhooks=(only,)) as engine:
        await engine.set_pause(Pause("none of them is to start"))
        runs = [await engine.start(spec("say fine", batch="b1")) for _ in range(3)]
        await engine.cancel_all(run.id for run in runs)
        await delivered(engine)
    assert [got.data["counts"] for got in place.got] == [{"cancelled": 3}]


async def test_what_fails_is_sent_again_and_nothing_overtakes_it(
    paths: Paths, place: Doorstep
) -> None:
    tries: dict[str, int] = {}

    def stubborn(got: object) -> int:
        name = place.got[-1].id
        tries[name] = tries.get(name, 0) + 1
        return 500 if tries[name] < 3 else 200

    place.answers = stubborn
    async with supervising(paths, webhooks=(place.hook(),)) as engine:
        run = await engine.start(spec("fail quota"))
        other = await engine.start(spec("say fine"))
        await settled(engine)
        await engine.retry(run.id)
        await settled(engine)
        await delivered(engine)
        stored = await engine.notifications.deliveries()
    first, second = dict.fromkeys(place.ids(run.id))
    assert place.ids(run.id) == [first] * 3 + [second] * 3
    assert place.ids(other.id) == place.ids(other.id)[:1] * 3
    assert {(it.state, it.tries) for it in stored} == {(DeliveryState.DELIVERED, 3)}
    assert stored[0].answer and stored[0].answer.text == "200 OK: said"


async def test_what_keeps_failing_is_parked_and_sent_when_asked(
    paths: Paths, place: Doorstep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliverer, "TRIES", 3)
    place.answers = lambda got: "redirect"
    async with supervising(paths, webhooks=(place.hook(),)) as engine:
        await engine.start(spec("say fine"))
        await settled(engine)
        await delivered(engine)
        (parked,) = await engine.notifications.deliveries()
        (shown,) = await engine.notifications.receivers()
        assert (parked.state, parked.tries, len(place.got)) == (DeliveryState.PARKED, 3, 3)
        assert parked.answer and parked.answer.code == 302
        assert "a redirect, which is not followed" in parked.answer.text
        assert (shown.condition, shown.parked) == (ReceiverHealth.FAILING, 1)
        place.answers = lambda got: 200
        assert await engine.notifications.retry(message=parked.message) == 1
        await place.until(lambda: len(place.got) == 4)
        await delivered(engine)
        assert {it.id for it in place.got} == {parked.message}
        with pytest.raises(UserError, match="no receiver `nobody`"):
            await engine.notifications.retry("nobody")


async def test_one_that_is_gone_is_parked_at_once_with_all_that_waits(
    paths: Paths, place: Doorstep
) -> None:
    place.answers = lambda got: 410
    async with supervising(paths, webhooks=(place.hook(),)) as engine:
        for _ in range(3):
            await engine.start(spec("say fine"))
        await settled(engine)
        await delivered(engine)
        (shown,) = await engine.notifications.receivers()
        assert (len(place.got), shown.condition, shown.parked) == (1, ReceiverHealth.PARKED, 3)
        place.answers = lambda got: 200
        assert await engine.notifications.retry("ci") == 3
        await delivered(engine)
        (shown,) = await engine.notifications.receivers()
    assert (len(place.got), shown.condition) == (4, ReceiverHealth.OK)


@pytest.mark.parametrize(
    ("how", "said"),
    [("hang", "no answer within 0.2 s"), ("drip", "no answer within 0.4 s"), ("big", "200 OK: yy")],
)
async def test_a_slow_or_endless_answer_costs_little(
    paths: Paths, place: Doorstep, monkeypatch: pytest.MonkeyPatch, how: str, said: str
) -> None:
    monkeypatch.setattr(webhook, "READ_S", 0.2)
    monkeypatch.setattr(webhook, "WHOLE_S", 0.4)
    place.answers = lambda got: how
    async with (
        doorstep() as other,
        supervising(paths, webhooks=(place.hook("bad"), other.hook("good"))) as engine,
    ):
        run = await engine.start(spec("say fine"))
        await settled(engine)
        await other.until(lambda: other.got)
        await becomes(lambda: place.got)
        tried = await all_tried(engine, "bad")
    assert tried[0].answer and tried[0].answer.text.startswith(said)
    assert place.written < BIG / 10
    assert other.ids() == [f"msg_{run.id}_{engine.view.runs[run.id].seq}"]


async def test_one_that_is_not_there_gets_all_when_it_comes(paths: Paths, place: Doorstep) -> None:
    async with doorstep() as later:
        url = later.url
    async with supervising(paths, webhooks=(place.hook(url=url),)) as engine:
        runs = [await engine.start(spec("say fine")) for _ in range(3)]
        await settled(engine)
        (shown, *_) = await all_tried(engine, "ci")
        assert shown.answer and shown.answer.text.startswith("could not connect: ")
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        async with doorstep(port) as there:
            await there.until(lambda: len(there.got) == 3)
            assert {got.data["id"] for got in there.got} == {run.id for run in runs}
            await delivered(engine)


SUPERVISE = """
import asyncio, sys
from pathlib import Path
from engine.config import settings
from engine.engine import Engine
from engine.config.paths import Paths

async def main():
    paths = Paths(Path(sys.argv[1]), Path(sys.argv[2]))
    async with Engine.open(paths, settings.load(paths.config), supervise=True):
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_an_engine_killed_between_event_and_answer_loses_nothing(
    paths: Paths, place: Doorstep
) -> None:
    paths.config.write_text(
        f"webhooks: [{{name: ci, url: '{place.url}', secret_env: {ENV}}}]\nqueue: {{stagger_s: 0}}"
    )
    place.answers = lambda got: "hang"
    words = [sys.executable, "-c", SUPERVISE, str(paths.home), str(paths.config)]
    async with Engine.open(paths, quick()) as engine:
        run = await engine.start(spec("say fine"))
    process = await asyncio.create_subprocess_exec(*words)
    await place.until(lambda: place.got)  # stored, sent, and never answered
    process.kill()
    await process.wait()
    place.answers = lambda got: 200
    async with supervising(paths, webhooks=(place.hook(),)) as engine:
        await place.until(lambda: len(place.got) == 2)
        await delivered(engine)
    first, second = place.got
    assert first.id == second.id and first.data == second.data and first.data["id"] == run.id


def _everything(paths: Paths) -> str:
    with closing(sqlite3.connect(paths.database)) as database:
        dumped = "\n".join(database.iterdump())
    files = (path for path in paths.home.rglob("*") if path.is_file())
    return dumped + "".join(path.read_bytes().decode("latin-1") for path in files)


async def test_no_secret_is_written_anywhere(
    paths: Paths, place: Doorstep, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    secret_url = place.url.replace("//", "//user:pass-word@") + "/0123456789abcdef?key=qwertz-1"
    place.answers = lambda got: "echo"
    async with supervising(paths, webhooks=(place.hook(url=secret_url),)) as engine:
        await engine.start(spec("say fine"))
        await settled(engine)
        await becomes(lambda: len(place.got) > 1)
        with pytest.raises(UserError) as failed:
            await engine.notifications.test("ci")
        (shown,) = await engine.notifications.receivers()
    assert "authorization" in place.got[0].headers
    said = repr(failed.value.info) + repr(shown) + repr(engine.config) + caplog.text
    assert "404 Not Found." in failed.value.message
    for secret in (SECRET, SECRET.removeprefix("whsec_"), "pass-word", "0123456789abc", "qwertz"):
        assert secret not in said and secret not in _everything(paths)


def _url(place: Doorstep, kind: str) -> str:
    match kind:
        case "password":
            return place.url.replace("//", "//user:pw@")
        case "path":
            return f"{place.url}/T0k3n-1"
        case _:
            return f"{place.url}?sig=T0k3n-1"


@pytest.mark.parametrize("kind", ["password", "path", "query"])
@pytest.mark.parametrize(
    "form",
    [
        lambda told: told,
        lambda told: base64.b64encode(told.encode()).decode(),
        lambda told: base64.b64encode(f"x{told}".encode()).decode(),
        lambda told: told.encode().hex(),
        lambda told: told[::-1],
        lambda told: "&#".join(str(ord(sign)) for sign in told),
        lambda told: " " * 150 + told,
    ],
)
async def test_an_answer_that_repeats_the_address_shows_no_secret(
    paths: Paths, place: Doorstep, kind: str, form: Callable[[str], str]
) -> None:
    told = form("Basic user:pw" if kind == "password" else "T0k3n-1")
    place.answers = lambda got: f"say {told}"
    async with Engine.open(paths, quick(webhooks=(place.hook(url=_url(place, kind)),))) as engine:
        with pytest.raises(UserError) as failed:
            await engine.notifications.test("ci")
    assert "400 Bad Request" in failed.value.message
    assert told.strip() not in repr(failed.value.info) + _everything(paths)


async def test_plain_words_of_an_answer_are_shown(paths: Paths, place: Doorstep) -> None:
    place.answers = lambda got: "say no_service: invalid token"
    async with Engine.open(paths, quick(webhooks=(place.hook(url=_url(place, "path")),))) as engine:
        with pytest.raises(UserError, match="400 Bad Request: no_service: invalid token"):
            await engine.notifications.test("ci")


async def test_an_answer_that_repeats_the_secret_shows_none(paths: Paths, place: Doorstep) -> None:
    key = base64.b64decode(SECRET.removeprefix("whsec_")).decode()
    place.answers = lambda got: f"say expected {SECRET} or {key}"
    async with Engine.open(paths, quick(webhooks=(place.hook(),))) as engine:
        with pytest.raises(UserError, match=r"400 Bad Request: expected \*\*\* or \*\*\*"):
            await engine.notifications.test("ci")


async def test_the_password_of_a_proxy_is_in_no_answer(
    paths: Paths, place: Doorstep, monkeypatch: pytest.MonkeyPatch
) -> None:
    for proxy in ("http://me:pr0xy-pw@127.0.0.1:1", "odd://me:pr0xy-pw@127.0.0.1:1"):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("ALL_PROXY", proxy)
        async with Engine.open(paths, quick(webhooks=(place.hook(),))) as engine:
            with pytest.raises(UserError) as failed:
                await engine.notifications.test("ci")
        assert failed.value.code == "WEBHOOK_FAILED"
        assert "pr0xy-pw" not in repr(failed.value.info)


@pytest.mark.parametrize(
    ("secret", "said"), [(None, "is not in the variable"), ("not base64!", "is not Base64")]
)
async def test_a_secret_that_is_wrong_is_said_and_sends_nothing(
    paths: Paths,
    place: Doorstep,
    monkeypatch: pytest.MonkeyPatch,
    secret: str | None,
    said: str,
) -> None:
    monkeypatch.delenv(ENV) if secret is None else monkeypatch.setenv(ENV, secret)
    async with Engine.open(paths, quick(webhooks=(place.hook(),))) as engine:
        with pytest.raises(UserError, match=said) as failed:
            await engine.notifications.test("ci")
    assert failed.value.code == "WEBHOOK_FAILED" and not place.got
    assert ".." not in failed.value.message
    assert "set it" in failed.value.recovery or "24 to 64" in failed.value.recovery
    assert secret is None or secret not in repr(failed.value.info)


async def test_a_test_is_sent_at_once_signed(paths: Paths, place: Doorstep) -> None:
    async with Engine.open(paths, quick(webhooks=(place.hook(),))) as engine:
        answer = await engine.notifications.test("ci")
    assert (answer.code, answer.text, place.got[0].type) == (204, "204 No Content", "test")
    assert not _rows(paths)


async def test_the_doctor_says_what_is_wrong_with_receivers(
    paths: Paths, place: Doorstep, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsigned = place.hook("bare", secret_env=None)
    unset = place.hook("unset", secret_env="NOWHERE_SET", events=(EventName("run.failed"),))
    place.answers = lambda got: 410
    async with supervising(paths, webhooks=(place.hook(), unsigned, unset)) as engine:
        await engine.set_pause(Pause("enough"))
        await all_tried(engine, "ci")
        await all_tried(engine, "bare")
        found = await engine.doctor.examine()
    said = [
        it.message for it in found if it.name == "webhooks" and it.health is CheckHealth.WARNING
    ]
    assert said == [
        "The webhook bare is not signed: anybody could write what it gets.",
        "The secret of the webhook unset is not in the variable NOWHERE_SET.",
        "2 deliveries were given up.",
    ]


def _rows(paths: Paths) -> int:
    with closing(sqlite3.connect(paths.database)) as database:
        return database.execute("SELECT count(*) FROM messages").fetchone()[0]


async def test_where_nobody_is_to_be_told_nothing_is_written(paths: Paths) -> None:
    async with supervising(paths) as engine:
        await engine.start(spec("say fine"))
        await settled(engine)
    assert not _rows(paths)
