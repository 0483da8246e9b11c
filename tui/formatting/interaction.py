"""Requests of the agent as text: whole, with nothing hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.domain.interaction import (
    Decision,
    DeliveryTime,
    InputRequest,
    MessageChanged,
    RequestKind,
)
from engine.domain.late_pattern import LatePattern
from engine.domain.text import escaped, one_line
from tui.formatting.input_fields import field_lines
from tui.formatting.symbols import sign, unicode_ok
from tui.terminal.cells import clean

LINE_CHARACTERS = 200
_MODIFIERS = LatePattern("[\U0001f3fb-\U0001f3ff]|(?<=[\u0300-\u036f]{2})[\u0300-\u036f]")
"""Characters that change the one before them, and would not be seen on their own."""
_CODE = "r|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}"
_ESCAPE = LatePattern(rf"\\(?:{_CODE})")
_ESCAPE_IN_LINE = LatePattern(rf"\\(?:[nt]|{_CODE})")
"""Escapes of characters, also of those that a text of several lines has as they are."""
_DECIDED = {
    Decision.APPROVE: "approved",
    Decision.DENY: "denied",
    Decision.STOP: "denied",
    Decision.ANSWER: "answered",
}


def visible_command(command: str) -> str:
    """Return a whole command on one line: line ends as a sign, all else that is unseen escaped."""
    return escaped(command).replace("\n", sign("\u23ce", "\\n")).replace("\t", "\\t")


def visible_line(line: str) -> str:
    """Return a whole line in which each character can be seen: others are escapes, tabs too.

    A terminal that shows only ASCII gets only ASCII.
    """
    if line.isascii() and line.isprintable():
        return line
    text = escaped(line).replace("\t", "\\t").replace("\n", "\\n")
    has_all = unicode_ok()
    text = "".join(
        char if char.isascii() or (has_all and char.isprintable()) else _escape(char)
        for char in text
    )
    return _MODIFIERS.compiled.sub(lambda found: _escape(found[0]), text)


def has_hidden(request: InputRequest) -> bool:
    """Return whether characters that cannot be seen, or texts like their escapes, are in a request.

    Both are shown alike, and so need the same second look.
    """
    paths = (request.cwd or "", *(change.path for change in request.changes))
    lines = (request.command or "", request.details, *paths)
    if any(_ESCAPE_IN_LINE.compiled.search(line) for line in lines):
        return True
    if re.search(r"\\[bf]", request.details):  # as JSON has them
        return True
    if any("\t" in line for line in lines) or any("\n" in path for path in paths):
        return True
    diffs = [change.diff for change in request.changes]
    if any(_ESCAPE.compiled.search(diff) for diff in diffs):
        return True
    return any(_has_unseen(text) for text in (*lines, *diffs))


def _has_unseen(text: str) -> bool:
    """Return whether a text has a space other than the usual ones, or another blank character."""
    return not text.isascii() and not all(
        char.isprintable() and char != "\u2800" for char in text if char not in "\n\t"
    )


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def decision_words(request: InputRequest) -> str:
    """Return the answer of an answered request, and its author."""
    decided = _DECIDED.get(request.decision or Decision.DENY, "answered")
    more = ", and the turn stopped" if request.decision is Decision.STOP else ""
    return f"{decided} by {_author(request.decided_by)}{more}"


def _author(decided_by: str) -> str:
    kind, _, rule = decided_by.partition(":")
    match kind:
        case "user":
            return "you"
        case "rule":
            return f"the rule {clean(rule, 60)}"
        case "limit":
            return "the time limit: there was no answer"
        case _:
            return clean(decided_by, 60)


def message_line(message: MessageChanged) -> str:
    """Return a message that the agent has not read on one line, with its id."""
    when = " after the turn" if message.delivery is DeliveryTime.AFTER_TURN else ""
    return f"{message.message} · {message.phase}{when} · {one_line(message.text, LINE_CHARACTERS)}"


def request_lines(request: InputRequest) -> Iterator[str]:
    """Yield all that a request asks for, the agent's own reason apart from it."""
    if request.command is not None:
        count = request.command.count("\n") + 1
        lines = f" ({count} lines)" if count > 1 else ""
        yield f"command{lines}: {visible_command(request.command)}"
    if request.cwd:
        yield f"folder: {request.cwd}"
    for change in request.changes:
        where = " OUTSIDE THE WORKSPACE" if change.outside else ""
        yield f"{change.change}{where}: {change.path}"
        yield from (f"    {line}" for line in change.diff.splitlines())
    yield from value_lines(request)
    if request.details:
        yield f"details: {request.details}"
    if request.is_cut:
        yield "It is too long to be shown whole, and can only be denied."
    yield from _reason(request)


def value_lines(request: InputRequest) -> Iterator[str]:
    """Yield the server that gets the answer, the address to open, and the fields to fill in."""
    if request.server:
        yield f"MCP server: {request.server}"
    if request.url is not None:
        yield f"address to open: {request.url}"
        yield f"its host: {_host(request.url)}"
    yield from field_lines(request.fields)


def _reason(request: InputRequest) -> Iterator[str]:
    if request.kind is RequestKind.FORM:
        yield from (f"message of the MCP server: {line}" for line in request.reason.splitlines())
    elif request.reason:
        yield f"reason given by the agent: {' '.join(request.reason.split())}"


def _host(url: str) -> str:
    """Return the host of an address as ASCII, so that no letter looks like another."""
    rest = url.partition("://")[2] or url
    host = re.split(r"[/?#\\]", rest, maxsplit=1)[0].rpartition("@")[2]
    return host if host.isascii() else ascii(host)[1:-1]
