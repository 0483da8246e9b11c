"""Requests of agents, answered over HTTP; the simulated agent asks."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from api_commands import Printed
from litestar import Litestar
from litestar.testing import AsyncTestClient
from support import settled, spec, texts, until

from engine.domain.model import Run
from engine.domain.run_json import request_id
from engine.engine import Engine

Client = AsyncTestClient[Litestar]
ASK = 'ask "npm ci" reason="May I?" writes=ran.txt'


@pytest.fixture(autouse=True)
async def _ended_runs(engine: Engine) -> AsyncGenerator[None]:
    """End the agents that still wait for an answer."""
    yield
    await engine.cancel_all(list(engine.view.live), kill=True)
    await settled(engine)


async def asking(engine: Engine, *lines: str, project: str = "shop") -> Run:
    """Start a run, and wait until it asks for something."""
    run = await engine.start(
        spec(*(lines or (ASK, "say after")), interactive=True, project=project)
    )
    await until(engine, lambda: engine.view.runs[run.id].unanswered)
    return engine.view.runs[run.id]


async def ended(engine: Engine, run: Run) -> Run:
    await until(engine, lambda: engine.view.runs[run.id].finished_at)
    return engine.view.runs[run.id]


def name_of(run: Run) -> str:
    return request_id(run, run.unanswered[0])


async def decisions(engine: Engine, run: Run) -> list[tuple[str, str]]:
    bodies = [event.body for event in await engine.events(run.id)]
    answered = [body for body in bodies if getattr(body, "phase", "") == "answered"]
    return [(str(body.decision), body.decided_by) for body in answered if body.decision]  # type: ignore[attr-defined]  # they are answers


async def test_inbox_is_listed_as_the_command_prints_it(
    engine: Engine, client: Client, printed: Printed
) -> None:
    first, second = await asking(engine), await asking(engine, project="site")
    listed = (await client.get("/v1/inbox")).json()
    (shown,) = await printed("inbox")
    for each in [*listed, *shown]:
        del each["waiting_s"]
    assert listed == shown
    assert [each["run"] for each in listed] == [first.id, second.id]
    for filters, runs in (
        ({"project": "site"}, [second.id]),
        ({"run": first.id}, [first.id]),
        ({"run": first.id, "project": "site"}, []),
        ({"kind": "patch"}, []),
        ({"matching": "npm ci", "for": "approve"}, [first.id, second.id]),
        ({"matching": "npm", "for": "approve"}, [first.id, second.id]),
        ({"matching": "np", "for": "approve"}, []),
    ):
        found = await client.get("/v1/inbox", params=filters)
        assert [each["run"] for each in found.json()] == runs, filters


async def test_request_is_approved_by_its_id(engine: Engine, client: Client) -> None:
    run = await asking(engine)
    digest = run.unanswered[0].digest
    answer = await client.post(f"/v1/inbox/{name_of(run)}/approve", json={"digest": digest})
    assert answer.status_code == 200
    assert [each["id"] for each in answer.json()] == [run.id]
    await ended(engine, run)
    assert await decisions(engine, run) == [("approve", "user")]
    late = await client.post(f"/v1/inbox/{name_of(run)}/approve")
    assert late.status_code == 409
    assert late.json()["code"] == "REQUEST_NOT_PENDING"


async def test_request_with_another_digest_is_not_answered(engine: Engine, client: Client) -> None:
    run = await asking(engine)
    for words in ("approve", "deny", "answer", "always"):
        body: dict[str, Any] = {"digest": "0" * 64} | ({"values": {}} if words == "answer" else {})
        answer = await client.post(f"/v1/inbox/{name_of(run)}/{words}", json=body)
        assert answer.status_code == 409, words
    assert engine.view.runs[run.id].unanswered
    assert await engine.rules() == []


async def test_request_is_denied_with_a_message(engine: Engine, client: Client) -> None:
    run = await asking(engine, 'ask "npm ci"', "until message", "say end")
    answer = await client.post(f"/v1/inbox/{name_of(run)}/deny", json={"message": "not this way"})
    assert answer.status_code == 200
    await ended(engine, run)
    assert await decisions(engine, run) == [("deny", "user")]
    written = [str(getattr(event.body, "text", "")) for event in await engine.events(run.id)]
    assert "not this way" in written


async def test_denial_ends_the_turn(engine: Engine, client: Client) -> None:
    run = await asking(engine)
    path = f"/v1/inbox/{name_of(run)}/deny"
    both = await client.post(path, json={"stop": True, "message": "no"})
    assert both.status_code == 400
    assert (await client.post(path, json={"stop": True})).status_code == 200
    assert (await ended(engine, run)).status == "interrupted"


async def test_question_is_answered_by_the_name_of_its_field(
    engine: Engine, client: Client
) -> None:
    run = await asking(engine, 'question "Which colour?" "Red|Blue"', "say after")
    path, field = f"/v1/inbox/{name_of(run)}/answer", run.unanswered[0].fields[0].name
    wrong = await client.post(path, json={"values": {"nothing": "Red"}})
    assert wrong.status_code == 400
    assert "there is no such field" in wrong.json()["detail"]
    approved = await client.post(f"/v1/inbox/{name_of(run)}/approve")
    assert approved.status_code == 400
    answer = await client.post(path, json={"values": {field: ["Blue"]}})
    assert answer.status_code == 200, answer.text
    await ended(engine, run)
    assert any("Blue" in text for text in texts(await engine.events(run.id)))


async def test_secret_value_is_in_no_event_and_in_no_answer(engine: Engine, client: Client) -> None:
    run = await asking(engine, 'question "Token?" "a|b" secret=yes', "say after")
    field = run.unanswered[0].fields[0].name
    answer = await client.post(
        f"/v1/inbox/{name_of(run)}/answer", json={"values": {field: "hunter2-hunter2"}}
    )
    assert answer.status_code == 200, answer.text
    await ended(engine, run)
    assert "hunter2" not in answer.text
    assert "hunter2" not in repr(await engine.events(run.id))


async def test_equal_requests_are_approved_by_their_digest(engine: Engine, client: Client) -> None:
    same = [await asking(engine), await asking(engine)]
    other = await asking(engine, 'ask "rm -rf /"', "say after")
    digest = (await client.get("/v1/inbox")).json()[0]["digest"]
    answer = await client.post("/v1/inbox/approve", json={"digests": [digest]})
    assert answer.status_code == 200
    assert {each["id"] for each in answer.json()} == {run.id for run in same}
    for run in same:
        await ended(engine, run)
    assert engine.view.runs[other.id].unanswered
    denied = await client.post("/v1/inbox/deny", json={"requests": [name_of(other)]})
    assert [each["id"] for each in denied.json()] == [other.id]
    again = await client.post("/v1/inbox/deny", json={"requests": [name_of(other)]})
    assert again.status_code == 409


@pytest.mark.parametrize(
    "body", [b"{}", b'{"requests": [], "digests": []}', b'{"requests": ["x"]}', b'{"digests": [1]}']
)
async def test_answer_to_many_names_its_requests(client: Client, body: bytes) -> None:
    for decision in ("approve", "deny"):
        answer = await client.post(f"/v1/inbox/{decision}", content=body)
        assert answer.status_code == 400


async def test_unknown_digest_answers_nothing(engine: Engine, client: Client) -> None:
    run = await asking(engine)
    answer = await client.post("/v1/inbox/approve", json={"digests": ["", "0" * 64]})
    assert answer.json() == []
    assert engine.view.runs[run.id].unanswered


async def test_request_and_later_ones_like_it_are_approved(
    engine: Engine, client: Client, printed: Printed
) -> None:
    first, second = await asking(engine), await asking(engine)
    answer = await client.post(f"/v1/inbox/{name_of(first)}/always", json={"scope": "project"})
    assert answer.status_code == 201
    assert answer.json()["words"].startswith("Approve each run of exactly `npm ci` in project shop")
    await ended(engine, first)
    await ended(engine, second)
    assert await decisions(engine, second) == [("approve", f"rule:{answer.json()['id']}")]
    refused = await client.post(f"/v1/inbox/{name_of(first)}/always", json={"scope": "home"})
    assert refused.status_code == 400
    listed = (await client.get("/v1/rules")).json()
    assert await printed("rules") == [listed]


async def test_rule_is_added_listed_and_removed(
    engine: Engine, client: Client, printed: Printed
) -> None:
    body = {"match": ["npm", "run"], "scope": "project", "scope_id": "shop", "is_prefix": True}
    added = await client.post("/v1/rules", json=body)
    assert added.status_code == 201, added.text
    (same,) = await printed("rules", "add", "npm run", "--prefix", "--project", "shop", "--yes")
    assert same == added.json()  # an equal rule is the same rule
    path = f"/v1/rules/{added.json()['id']}"
    removed = await client.delete(path)
    assert removed.status_code == 200
    assert [rule["id"] for rule in removed.json()] == [added.json()["id"]]
    assert (await client.delete(path)).status_code == 404
    assert await engine.rules() == []


@pytest.mark.parametrize(
    "change",
    [
        {"match": []},
        {"match": ["a", "b"]},
        {"match": ["\u202e"]},
        {"match": ["sh"], "is_prefix": True},
        {"match": ["x" * 5000]},
        {"match": ["lab"], "kind": "tool"},
        {"match": ["../x"], "kind": "patch"},
        {"kind": "permissions"},
        {"scope": "home"},
        {"scope": "run", "scope_id": "nothing"},
        {"scope": "batch", "scope_id": "nothing"},
        {"decision": "stop"},
    ],
)
async def test_invalid_rule_is_refused(
    engine: Engine, client: Client, change: dict[str, Any]
) -> None:
    body = {"match": ["npm ci"], "scope": "project", "scope_id": "shop", **change}
    answer = await client.post("/v1/rules", json=body)
    assert answer.status_code in (400, 404), answer.text
    assert await engine.rules() == []


@pytest.mark.parametrize("name", ["x", "@last:1:0", "%00:1:0", "%ff:1:0", "a:1:0:3", ":::"])
async def test_request_needs_its_complete_id(engine: Engine, client: Client, name: str) -> None:
    run = await asking(engine)
    for path in (name, f"{run.id[:6]}:1:0", f"{run.id}:1:99999999999999999999"):
        answer = await client.post(f"/v1/inbox/{path}/approve")
        assert answer.status_code in (400, 404, 409), path
    assert engine.view.runs[run.id].unanswered
