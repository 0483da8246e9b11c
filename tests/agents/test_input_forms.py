"""Questions and forms without Codex: which are answerable, and the result of their answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.agents.codex.interactive import inbox, input_requests
from engine.agents.codex.interactive.bridge import forms, protocol
from engine.domain.interaction import Decision, InputRequest, RequestKind, RequestPhase
from tui.formatting.interaction import request_lines
from tui.formatting.request_text import essential_rows

Json = dict[str, Any]
QUESTION, ELICITATION = forms.QUESTION, forms.ELICITATION
ASKED: Json = {"id": "q", "header": "H", "question": "Which?", "isOther": True, "isSecret": False}
COLOURS = [{"label": "Red", "description": "warm"}, {"label": "Blue\u200b", "description": ""}]


def question(**fields: object) -> Json:
    return of_thread(questions=[{**ASKED, **fields}], isBlocking=True, autoResolutionMs=60_000)


def of_thread(**params: object) -> Json:
    return {"threadId": "t", **params}


def form(required: Any = (), **properties: object) -> Json:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return of_thread(mode="form", message="m", serverName="s", requestedSchema=schema)


def raised(method: str, params: Json) -> InputRequest:
    """Return the event of a request."""
    assert input_requests.kind_of(method, params)
    return input_requests.raised("0", method, params, (), "/w", is_of_agent=False)


def result(method: str, params: Json, record: bytes, secrets: object = None) -> Json | None:
    """Return what the bridge sends for a record of the inbox."""
    done = json.loads(record)
    return protocol.answer(method, params, done["decision"], done.get("values"), secrets)


def test_whole_request_is_answerable() -> None:
    for method, params in ((QUESTION, question()), (ELICITATION, form(a={"type": "string"}))):
        assert protocol.is_answerable(method, params)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (QUESTION, of_thread()),
        (QUESTION, of_thread(questions=None)),
        (QUESTION, of_thread(questions=[])),
        (QUESTION, of_thread(questions=["q"])),
        (QUESTION, of_thread(questions=[ASKED, ASKED])),
        (QUESTION, question(id="")),
        (QUESTION, question(id=3)),
        (QUESTION, question(id="a\u202eb")),
        (QUESTION, question(id="a\nb")),
        (QUESTION, question(id="x" * 201)),
        (QUESTION, question(question=None)),
        (QUESTION, question(isSecret="no")),
        (QUESTION, question(isOther=1, options=COLOURS)),
        (QUESTION, question(options={})),
        (QUESTION, question(options=["a"])),
        (QUESTION, question(options=[COLOURS[0]] * 2)),
        (QUESTION, question(options=[{"label": ""}])),
        (ELICITATION, form() | {"message": None}),
        (ELICITATION, form() | {"mode": "openai/form"}),
        (ELICITATION, form() | {"mode": None}),
        (ELICITATION, form() | {"requestedSchema": None}),
        (ELICITATION, form() | {"requestedSchema": {"type": "array", "properties": {}}}),
        (ELICITATION, form() | {"requestedSchema": {"type": "object"}}),
        (ELICITATION, form(["b"], a={"type": "string"})),
        (ELICITATION, form([3], a={"type": "string"})),
        (ELICITATION, form(a={"type": "object"})),
        (ELICITATION, form(a={"type": ["string", "null"]})),
        (ELICITATION, form(a={})),
        (ELICITATION, form(a=3)),
        (ELICITATION, form(a={"type": "string", "minLength": "2"})),
        (ELICITATION, form(a={"type": "integer", "maximum": True})),
        (ELICITATION, form(a={"type": "string", "enum": []})),
        (ELICITATION, form(a={"type": "string", "enum": ["x", "x"]})),
        (ELICITATION, form(a={"type": "string", "enum": [1]})),
        (ELICITATION, form(a={"type": "array", "items": {"type": "string"}})),
        (ELICITATION, form(a={"type": "string", "title": 3})),
        (ELICITATION, form(**{f"f{number}": {"type": "string"} for number in range(101)})),
        (ELICITATION, of_thread(mode="url", message="m", url="")),
        (ELICITATION, of_thread(mode="url", message="m", url=3)),
    ],
)
def test_malformed_request_is_not_answerable(method: str, params: Json) -> None:
    assert not protocol.is_answerable(method, params)
    assert input_requests.kind_of(method, params) is None
    for decision in ("answer", "approve", "deny"):
        found = protocol.answer(method, params, decision, [])
        assert found is None or found.get("action") in (None, "accept", "decline")


def test_question_is_whole_and_its_option_is_sent_as_it_was() -> None:
    params = question(options=COLOURS, question="Which\n\x1b[2Jone?")
    request = raised(QUESTION, params)
    (field,) = request.fields
    assert (request.kind, request.text) == (RequestKind.QUESTION, "Which")
    assert field.text == "Which\n\\x1b[2Jone?"
    assert [option.value for option in field.options] == ["Red", "Blue\\u200b"]
    answered = InputRequest(
        **{name: getattr(request, name) for name in ("request", "kind", "fields")},
        phase=RequestPhase.ANSWERED,
        decision=Decision.ANSWER,
        answers={"q": ("Blue\\u200b", "or this")},
    )
    record = inbox._answer(answered)
    assert json.loads(record)["values"] == [[1, "or this"]]
    assert result(QUESTION, params, record) == {
        "answers": {"q": {"answers": ["Blue\u200b", "or this"]}}
    }


def test_secret_values_are_those_of_the_record_that_the_answer_names() -> None:
    params = of_thread(questions=[ASKED, {**ASKED, "id": "s", "isSecret": True}])
    request = raised(QUESTION, params)
    hidden = json.loads(inbox.secrets("secrets:1", request, {"q": ("x",), "s": ("hush",)}))
    assert hidden == {"id": "secrets:1", "do": "secrets", "values": [[], ["hush"]]}
    record = inbox.answer("0", Decision.ANSWER, [["x"], []], "secrets:1")
    assert b"hush" not in record
    assert result(QUESTION, params, record, hidden["values"]) == {
        "answers": {"q": {"answers": ["x"]}, "s": {"answers": ["hush"]}}
    }


def test_form_is_accepted_with_typed_values() -> None:
    one_of = [{"const": "r", "title": "Red"}]
    params = form(
        ["n"],
        n={"type": "number", "minimum": 0.5},
        b={"type": "boolean", "default": True},
        c={"type": "string", "oneOf": one_of},
        m={"type": "array", "items": {"anyOf": one_of}, "maxItems": 1},
        left={"type": "string", "pattern": "^a"},
    )
    request = raised(ELICITATION, params)
    shown = {field.name: field for field in request.fields}
    assert (shown["n"].minimum, shown["b"].default, shown["m"].max_items) == (0.5, "true", 1)
    assert (shown["c"].options[0].title, shown["left"].is_required) == ("Red", False)
    assert request.details == '{"left":{"pattern":"^a"}}'
    record = inbox.answer("0", Decision.ANSWER, [[2.5], [False], [0], [0], []])
    content = {"n": 2.5, "b": False, "c": "r", "m": ["r"]}
    accepted = {"action": "accept", "content": content, "_meta": None}
    assert result(ELICITATION, params, record) == accepted


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        "x",
        [["a"], ["b"], ["c"]],
        [["a", "b"], []],
        [[True], []],
        [[{"_meta": {"persist": "always"}}], []],
        [[], [2]],
        [[], [-1]],
        [[], [True]],
        [[], ["r"]],
    ],
)
def test_values_that_do_not_fit_are_not_sent(values: object) -> None:
    params = form(t={"type": "string"}, c={"type": "string", "enum": ["r", "g"]})
    sent = protocol.answer(ELICITATION, params, "answer", values)
    assert sent == ({"action": "accept", "content": {}, "_meta": None} if values is None else None)


@pytest.mark.parametrize(("method", "params"), [(QUESTION, question()), (ELICITATION, form())])
def test_request_for_values_cannot_be_approved(method: str, params: Json) -> None:
    for decision in ("approve", "accept", "acceptForSession", None, {"decision": "accept"}):
        assert protocol.answer(method, params, decision, []) is None
    declined = protocol.answer(method, params, "deny")
    assert declined in ({"answers": {}}, {"action": "decline", "content": None, "_meta": None})


def test_approval_of_a_tool_has_no_values() -> None:
    params: Json = form(a={"type": "string"})
    params["_meta"] = {"codex_approval_kind": "mcp_tool_call"}
    assert input_requests.kind_of(ELICITATION, params) is RequestKind.TOOL
    assert protocol.answer(ELICITATION, params, "answer", [["x"]]) is None
    assert raised(ELICITATION, params).fields == ()


def test_long_question_can_only_be_denied() -> None:
    assert not raised(QUESTION, question(question="x" * 1000)).is_cut
    assert raised(QUESTION, question(question="x" * 300_000)).is_cut
    url = of_thread(mode="url", message="m", url="https://" + "x" * 300_000)
    assert raised(ELICITATION, url).is_cut


@pytest.mark.parametrize("char", ["\x1b", "\u202e", "\u200b"])
def test_forms_that_look_alike_have_different_digests(char: str) -> None:
    texts = (char, char.encode("unicode_escape").decode())
    forms_asked = [[form(a={"type": "string", "title": text}) for text in texts]]
    forms_asked += [[{**form(), "serverName": text} for text in texts]]
    for asked in forms_asked:
        assert len({raised(ELICITATION, params).digest for params in asked}) == 2
    assert len({raised(QUESTION, question(question=text)).digest for text in texts}) == 2


def test_server_that_gets_the_answer_is_named() -> None:
    url = of_thread(mode="url", message="m", url="https://x.example/a", serverName="lab\u202e")
    assert raised(ELICITATION, url).server == "lab\\u202e"
    assert "MCP server: lab\\u202e" in request_lines(raised(ELICITATION, url))
    request = raised(ELICITATION, form(a={"type": "string"}))
    assert "MCP server: s" in request_lines(request)
    assert "MCP server: s" in [row.text for row in essential_rows(request)]
    assert raised(QUESTION, question()).server is None
