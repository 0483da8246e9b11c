"""Questions and forms of the real Codex: shown, checked, answered, declined."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from bridge_run import escalated, newest_codex
from house import House, NewHouse, ended, happened, task, until
from loopback import LoopbackServer, Step, call, call_in, codex_binary, message

from engine.domain.errors import UserError
from engine.domain.events import Notice
from engine.domain.input_fields import FieldKind
from engine.domain.interaction import (
    Decision,
    InputRequest,
    RequestAnswer,
    RequestKind,
    RequestPhase,
)
from engine.domain.model import Run, RunSpec, Status
from engine.engine import Engine

SECRET = "correct-horse-battery"
FEATURE = "features.default_mode_request_user_input=true"
MCP = f"""
[mcp_servers.forms]
command = {sys.executable!r}
args = [{str(Path(__file__).with_name("mcp_form_server.py"))!r}]
"""
COLOURS = [{"label": "Red", "description": "warm"}, {"label": "Blue\u202e", "description": "cold"}]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Your name", "minLength": 2},
        "age": {"type": "integer", "minimum": 1},
        "is_new": {"type": "boolean"},
        "size": {"type": "string", "enum": ["s", "m"], "enumNames": ["Small", "Medium"]},
        "tags": {"type": "array", "minItems": 1, "items": {"type": "string", "enum": ["a", "b"]}},
    },
    "required": ["name", "tags"],
}


def question(*questions: dict[str, Any]) -> Step:
    """Ask the user."""
    return call("request_user_input", {"questions": list(questions)})


def colour(**fields: Any) -> dict[str, Any]:
    """Return a question with two options."""
    return {
        "id": "colour",
        "header": "Colour",
        "question": "Which\ncolour?",
        "options": COLOURS,
        **fields,
    }


def form(**fields: Any) -> Step:
    """Call the tool of an MCP server that asks the user."""
    return call_in("mcp__forms", "ask", {"message": "Who are you?\x1b[2J", **fields})


@pytest.fixture(params=["packaged", "newest"])
def codex(request: pytest.FixtureRequest) -> str:
    """Return one of the two binaries."""
    found = codex_binary() if request.param == "packaged" else newest_codex()
    if found is None:
        pytest.skip("no Codex of npm's: set SWARM_TEST_CODEX")
    return found


@pytest.fixture
def house(new_house: NewHouse) -> House:
    """Make a house whose Codex has an MCP server that asks."""
    return new_house(extra=MCP)


def spec(prompt: str, codex: str) -> RunSpec:
    """Return the spec of an interactive run whose agent may ask questions."""
    return task(prompt, interactive=True, codex_bin=codex, codex_config=(FEATURE,))


async def asks(engine: Engine, run: Run, number: int = 0) -> tuple[Run, InputRequest]:
    """Follow a run until its request of a number is open."""

    def is_open(now: Run) -> bool:
        return any(one.request == str(number) for one in now.unanswered)

    run = await until(engine, run, is_open)
    return run, run.unanswered[0]


def to(
    found: tuple[Run, InputRequest], decision: Decision, **values: Sequence[str]
) -> RequestAnswer:
    """Return an answer with values."""
    run, request = found
    answers = {name: tuple(given) for name, given in values.items()}
    return RequestAnswer(run.attempt, request.request, request.digest, decision, answers=answers)


def holders(folder: Path, text: str) -> list[str]:
    """Return the names of the files below a folder that contain a text."""
    found: list[str] = []
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # a file of a process at work
            if path.is_file() and text.encode() in path.read_bytes():
                found.append(path.name)
    return found


def outputs(server: LoopbackServer) -> str:
    """Return what the model was told by its tools."""
    items = server.requests[-1].body["input"]
    return str([item["output"] for item in items if "output" in item])


async def test_secret_answer_is_in_the_live_inbox_alone(
    house: House, server: LoopbackServer, codex: str
) -> None:
    token = {"id": "token", "header": "Token", "question": "The token?", "isSecret": True}
    asked = question(colour(), {**token, "options": COLOURS})
    prompt = server.script("a", [asked, escalated("true"), message("done")])
    async with house.engine() as engine:
        found = await asks(engine, await engine.start(spec(prompt, codex)))
        request = found[1]
        assert (request.kind, request.text) == (RequestKind.QUESTION, "Which (1 of 2)")
        first, second = request.fields
        assert (first.text, first.allows_other, second.is_secret) == ("Which\ncolour?", True, True)
        assert [one.value for one in first.options] == ["Red", "Blue\\u202e"]
        answer = to(found, Decision.ANSWER, colour=["Blue\\u202e"], token=[SECRET])
        run = await engine.answer(found[0].id, answer)
        assert SECRET not in repr(answer)
        found = await asks(engine, run, 1)
        assert found[1].kind is RequestKind.COMMAND
        inbox = house.attempt(run).inbox
        assert inbox.stat().st_mode & 0o777 == 0o600
        assert holders(house.paths.home, SECRET) == [inbox.name]
        await engine.answer(run.id, to(found, Decision.APPROVE))
        run = await ended(engine, run)
        told = await happened(engine, run, InputRequest)
        assert holders(house.paths.home, SECRET) == []
    assert run.status is Status.SUCCEEDED
    assert not inbox.exists()
    assert [one.phase.value for one in told[:3]] == ["raised", "answered", "applied"]
    assert told[1].answers == {"colour": ("Blue\\u202e",)}
    # The agent has the value as it stood in its request, not as it was shown.
    assert "Blue\\u202e" in outputs(server).replace("\\\\", "\\") or "Blue\u202e" in outputs(server)
    assert SECRET in outputs(server)


async def test_next_process_hands_on_an_answer_once(
    house: House, server: LoopbackServer, codex: str
) -> None:
    prompt = server.script("a", [question(colour(isSecret=True)), message("done")])
    async with house.engine() as engine:
        found = await asks(engine, await engine.start(spec(prompt, codex)))
    # Decided without a supervisor: the next one delivers it.
    async with Engine.open(house.paths, follow=False) as engine:
        run = await engine.answer(found[0].id, to(found, Decision.ANSWER, colour=[SECRET]))
        assert run.input_requests[0].phase is RequestPhase.ANSWERED
        with pytest.raises(UserError) as refused:
            await engine.answer(run.id, to(found, Decision.ANSWER, colour=["x"]))
        assert refused.value.code == "REQUEST_NOT_PENDING"
    async with house.engine() as engine:
        run = await ended(engine, run)
    assert run.status is Status.SUCCEEDED
    assert SECRET in outputs(server)
    assert holders(house.paths.home, SECRET) == []


async def test_declined_question_and_stopped_question(
    house: House, server: LoopbackServer, codex: str
) -> None:
    asked = question(colour())
    prompt = server.script("a", [asked, asked, message("never")])
    async with house.engine() as engine:
        found = await asks(engine, await engine.start(spec(prompt, codex)))
        with pytest.raises(UserError, match="cannot be approved"):
            await engine.answer(found[0].id, to(found, Decision.APPROVE))
        run = await engine.answer(found[0].id, to(found, Decision.DENY))
        found = await asks(engine, run, 1)
        assert '{"answers":{}}' in outputs(server)
        await engine.answer(run.id, to(found, Decision.STOP))
        run = await ended(engine, run)
    assert (run.status, run.reason) == (Status.INTERRUPTED, "interrupted by the user")
    assert len(server.requests) == 2


async def test_form_is_checked_before_it_is_accepted(
    house: House, server: LoopbackServer, codex: str
) -> None:
    prompt = server.script("a", [form(requestedSchema=SCHEMA), message("done")])
    async with house.engine() as engine:
        found = await asks(engine, await engine.start(spec(prompt, codex)))
        run, request = found
        assert (request.kind, request.reason) == (RequestKind.FORM, "Who are you?\\x1b[2J")
        kinds = {field.name: field.kind for field in request.fields}
        assert (kinds["age"], kinds["size"]) == (FieldKind.INTEGER, FieldKind.CHOICE)
        good = {"name": ["Bo"], "age": ["3"], "is_new": ["no"], "size": ["m"], "tags": ["b", "a"]}
        for bad, error in (
            ({"name": ["B"]}, "field name is not valid: at least 2 characters"),
            ({"age": ["0"]}, "field age is not valid: it must be at least 1"),
            ({"age": ["1.5"]}, "field age is not valid: it must be a whole number"),
            ({"size": ["Medium"]}, "field size is not valid: it must be one of its options"),
            ({"tags": []}, "field tags is not valid: a value is required"),
            ({"is_new": ["maybe"]}, "field is_new is not valid: it must be yes or no"),
            ({"other": ["x"]}, "field other is not valid: there is no such field"),
        ):
            with pytest.raises(UserError, match=error) as refused:
                await engine.answer(run.id, to(found, Decision.ANSWER, **{**good, **bad}))
            assert refused.value.code == "INPUT_INVALID"
        await engine.answer(run.id, to(found, Decision.ANSWER, **good))
        run = await ended(engine, run)
    assert run.status is Status.SUCCEEDED
    content = '"name": "Bo", "age": 3, "is_new": false, "size": "m", "tags": ["b", "a"]'
    accepted = outputs(server)
    for part in content.split(", ", 4):
        assert part in accepted


async def test_declined_form_and_accepted_address(
    house: House, server: LoopbackServer, codex: str
) -> None:
    address = form(mode="url", url="https://example.com/\u202ex", elicitationId="e1")
    wanted = [form(requestedSchema=SCHEMA), address, message("done")]
    prompt = server.script("a", wanted)
    async with house.engine() as engine:
        found = await asks(engine, await engine.start(spec(prompt, codex)))
        run = await engine.answer(found[0].id, to(found, Decision.DENY))
        found = await asks(engine, run, 1)
        assert '"action": "decline"' in outputs(server)
        assert found[1].url == "https://example.com/\\u202ex"
        assert found[1].fields == ()
        await engine.answer(run.id, to(found, Decision.ANSWER))
        run = await ended(engine, run)
    assert run.status is Status.SUCCEEDED
    assert '"action": "accept"' in outputs(server)


async def test_cancel_withdraws_a_question(
    house: House, server: LoopbackServer, codex: str
) -> None:
    prompt = server.script("a", [question(colour()), message("never")])
    async with house.engine() as engine:
        found = await asks(engine, await engine.start(spec(prompt, codex)))
        await engine.cancel(found[0].id)
        run = await ended(engine, found[0])
        told = await happened(engine, run, InputRequest)
        notices = await happened(engine, run, Notice)
    assert [one.phase.value for one in told] == ["raised", "withdrawn"]
    assert not [one.text for one in notices if "refused" in one.text]
    assert not house.attempt(run).inbox.exists()
