"""Operations on the queue over HTTP, beside the commands on the same home."""

from __future__ import annotations

import pytest
from api_commands import Printed
from litestar import Litestar
from litestar.testing import AsyncTestClient

from engine.engine import Engine

Client = AsyncTestClient[Litestar]


async def test_queue_is_paused_with_a_reason_and_resumed(
    engine: Engine, client: Client, printed: Printed
) -> None:
    await engine.set_slots(8)  # stored: the command has other settings
    paused = await client.post("/v1/queue/pause", json={"reason": "a release\nof today"})
    assert paused.status_code == 200
    assert paused.json()["pause"]["reason"] == "a release"
    assert [paused.json()] == await printed("queue")
    assert engine.pause
    resumed = await client.post("/v1/queue/unpause")
    assert resumed.status_code == 200
    assert resumed.json()["pause"] is None
    assert engine.pause is None


async def test_pause_ends_at_a_time(engine: Engine, client: Client, printed: Printed) -> None:
    await engine.set_slots(8)
    paused = await client.post("/v1/queue/pause", json={"until": "2131-05-04T18:30:00Z"})
    assert paused.json()["pause"]["until"] == "2131-05-04T18:30:00.000Z"
    assert paused.json()["pause"]["reason"] == "paused by the user"
    assert await printed("pause", "--until", "2131-05-04T18:30:00Z") == [paused.json()]


async def test_pause_without_a_body(client: Client) -> None:
    paused = await client.post("/v1/queue/pause")
    assert paused.json()["pause"]["until"] is None


async def test_slots_are_set_and_shown(client: Client, printed: Printed) -> None:
    changed = await client.post("/v1/queue/slots", json={"slots": 3})
    assert changed.status_code == 200
    assert (await client.get("/v1/queue")).json() == changed.json()
    assert await printed("slots") == [changed.json()]
    assert changed.json()["slots"] == 3


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("pause", b'{"until": "yesterday"}'),
        ("pause", b'{"until": "2001-01-01"}'),
        ("pause", b'{"until": "99999999999999999-01-01"}'),
        ("pause", b'{"reason": 3}'),
        ("pause", b'{"reason": "\\ud800"}'),
        ("pause", b'{"unknown": 1}'),
        ("pause", b"\xff"),
        ("slots", b'{"slots": 0}'),
        ("slots", b'{"slots": 1e400}'),
        ("slots", b'{"slots": 99999999999999999999999999}'),
        ("slots", b"{}"),
        ("slots", b""),
    ],
)
async def test_invalid_request_changes_nothing(
    engine: Engine, client: Client, path: str, body: bytes
) -> None:
    answer = await client.post(f"/v1/queue/{path}", content=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "INPUT_INVALID"
    assert engine.pause is None
    assert engine.slots == 8
