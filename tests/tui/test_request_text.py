"""A request as rows of text: nothing is hidden, nothing is cut, nothing is interpreted."""

from __future__ import annotations

import json

import pytest
from asking import request

from engine.domain.events import Body, Event, FileChange, Step
from engine.domain.interaction import (
    Decision,
    InputRequest,
    ProposedChange,
    RequestKind,
    RequestPhase,
)
from engine.domain.text import escaped, printable_name
from tui.cli.support.bulk_answers import is_odd
from tui.formatting import EventLine, event_line, symbols
from tui.formatting.interaction import visible_line
from tui.formatting.request_text import TextRow, essential_rows, exact_lines, laid_out, oddities
from tui.terminal.cells import cells


def rows(asked: InputRequest, width: int = 60) -> list[TextRow]:
    return list(laid_out(list(essential_rows(asked)), width))


def command(text: str) -> InputRequest:
    """Return a request for a command, escaped as the domain does it."""
    return request(escaped(text))


@pytest.mark.parametrize("width", [8, 40, 60, 200])
def test_a_command_is_whole_at_any_width(width: int) -> None:
    text = "echo   two  spaces" + " " * 100 + "; rm -rf / # " + "x" * 3000
    shown = "".join(row.text for row in rows(command(text), width) if row.tone == "strong")
    assert shown == text


@pytest.mark.parametrize(
    "char", [*"\x00\x07\x1b\r\x7f\x85\u202e\u200b\u2028\ufeff\u00a0\u3000\u00ad"]
)
def test_characters_that_are_not_seen_are_escapes(char: str) -> None:
    asked = command(f"echo {char}x")
    (shown,) = [row.text for row in rows(asked) if row.tone == "strong"]
    assert shown.isascii()
    assert "\\" in shown
    assert oddities(asked)


@pytest.mark.parametrize("text", ["a\u0301\u0301\u0301\u0301", "x\U0001f3ff", "\ufe0f", "\ta"])
def test_characters_that_change_others_are_seen(text: str) -> None:
    assert "\\" in visible_line(text)


def test_wide_characters_fill_no_more_than_the_row() -> None:
    lines = list(exact_lines("漢字" * 20 + "x", 7))
    assert "".join(lines) == "漢字" * 20 + "x"
    assert max(map(cells, lines)) <= 7


def test_a_terminal_of_ascii_gets_only_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "linux")
    symbols.unicode_ok.cache_clear()
    try:
        assert visible_line("rm \u0430") == "rm \\u0430"  # a Cyrillic letter
    finally:
        monkeypatch.undo()
        symbols.unicode_ok.cache_clear()


def test_line_ends_are_not_part_of_the_text() -> None:
    found = [(row.text, row.end) for row in rows(command("one\\n\ntwo")) if row.tone == "strong"]
    assert found == [("one\\n", "⏎"), ("two", "")]


def test_second_looks_are_named() -> None:
    outside = (ProposedChange("/etc/hosts", "modified", "", outside=True),)
    assert oddities(command("npm ci")) == []
    assert oddities(command("a\nb\nc")) == ["3 lines"]
    assert oddities(command("écho")) == ["characters other than ASCII"]
    assert oddities(command("a" + " " * 9 + "b")) == ["a long gap"]
    assert oddities(command("x" * 500)) == ["500 characters"]
    patch = request("x", kind=RequestKind.PATCH, changes=outside)
    assert oddities(patch) == ["1 file outside the workspace"]


@pytest.mark.parametrize("char", [*"\n\t\r\x1b\u202e\u200b\u00a0\u2800"])
def test_hidden_characters_get_a_second_look_in_both_faces(char: str) -> None:
    name = printable_name(f"a{char}b")
    changes = (ProposedChange(name, "modified"),)
    requests = [
        command(f"a{char}b"),
        request("x", kind=RequestKind.PATCH, changes=changes),
        request("x", cwd=name),
        request("x", kind=RequestKind.TOOL, details=escaped(json.dumps({"a": f"a{char}b"}))),
    ]
    if char not in "\n\t":
        diff = (ProposedChange("a", "modified", escaped(f"+a{char}b")),)
        requests.append(request("x", kind=RequestKind.PATCH, changes=diff))
    for asked in requests:
        assert oddities(asked)
        assert is_odd(asked)


@pytest.mark.parametrize("text", ["\\n", "\\r", "\\t", "\\x1b", "\\u202e"])
def test_texts_like_escapes_get_a_second_look(text: str) -> None:
    for asked in (command(f"printf a{text}b"), request("x", details=json.dumps({"a": text}))):
        assert oddities(asked) == ["hidden characters"]
        assert is_odd(asked)


def test_usual_requests_get_no_second_look() -> None:
    diff = ProposedChange("a/é.py", "modified", "@@\n-\tx\n+print('\\n')\n")
    for asked in (command("grep -r 'a.b' src"), request("x", changes=(diff,))):
        assert oddities(asked) == []
        assert not is_odd(asked)


def test_a_tool_is_shown_with_server_name_and_each_argument() -> None:
    given = {"path": "/srv", "deep": {"list": [1, None, "a\u202eb"]}, "empty": {}}
    meta = {"tool_name": "write", "tool_params": given, "persist": ["always"]}
    details = escaped(json.dumps({"serverName": "files", "_meta": meta}))
    shown = [row.text for row in rows(request("x", kind=RequestKind.TOOL, details=details))]
    for text in (
        'server: "files"',
        'tool: "write"',
        'arguments.path: "/srv"',
        "arguments.deep.list[1]: null",
        'arguments.deep.list[2]: "a\\u202eb"',
        "arguments.empty: {}",
        '_meta.persist[0]: "always"',
    ):
        assert text in shown


@pytest.mark.parametrize("details", ["{cut", "[1]", '"text"', "[" * 5000, "null"])
def test_other_details_are_shown_as_they_are(details: str) -> None:
    asked = request("x", kind=RequestKind.PERMISSIONS, details=details)
    shown = "".join(row.text for row in rows(asked, 200) if row.tone == "strong")
    assert details.strip("[]") in shown
    assert shown


def line_of(body: Body) -> EventLine:
    return event_line(Event("a", 1, 0.0, 1, body))


@pytest.mark.parametrize(
    ("decision", "decided_by", "words"),
    [
        (Decision.APPROVE, "user", "approved by you"),
        (Decision.DENY, "rule:r1", "denied by the rule r1"),
        (Decision.DENY, "limit", "denied by the time limit: there was no answer"),
        (Decision.STOP, "user", "denied by you, and the turn stopped"),
    ],
)
def test_the_log_shows_an_answer_and_its_author(
    decision: Decision, decided_by: str, words: str
) -> None:
    answered = InputRequest("0", RequestPhase.ANSWERED, decision=decision, decided_by=decided_by)
    assert line_of(answered).text == words


def test_the_log_shows_a_declined_step_as_declined() -> None:
    step = Step("tool", "command", "declined", "npm ci", "/bin/bash -lc 'npm ci'")
    assert (line_of(step).kind, line_of(step).text) == ("declined", "npm ci")
    patch = Step("tool", "file_change", "declined", changes=(FileChange("a.txt", "modified"),))
    assert line_of(patch).kind == "declined"
    assert "a.txt" in line_of(patch).text
