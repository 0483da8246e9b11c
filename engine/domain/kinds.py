"""Kinds of events that a log can be filtered by."""

from __future__ import annotations

from engine.domain.record import record


@record
class EventSelector:
    """Events of one type; with `field`, only those where it has one of `values`."""

    type: str
    field: str = ""
    values: tuple[str, ...] = ()


@record
class EventKind:
    """A choice of events by its name; no sorts: all there are."""

    name: str
    meaning: str
    sorts: tuple[EventSelector, ...] = ()


USUAL = EventKind("usual", "the work: messages, commands, edits and problems")
KINDS: tuple[EventKind, ...] = (
    USUAL,
    EventKind(
        "messages",
        "messages and thoughts of the agent",
        (
            EventSelector("step", "role", ("assistant", "reasoning")),
            EventSelector("message"),
            EventSelector("input_request"),
            EventSelector("interrupt"),
        ),
    ),
    EventKind(
        "commands",
        "commands, tools and searches",
        (
            EventSelector(
                "step", "kind", ("command", "mcp", "web_search", "agent", "sleep", "other")
            ),
        ),
    ),
    EventKind(
        "files",
        "edits, changed files and artifacts",
        (
            EventSelector("step", "kind", ("file_change",)),
            EventSelector("files"),
            EventSelector("changes"),
            EventSelector("artifact"),
            EventSelector("checkpoint"),
        ),
    ),
    EventKind(
        "plan",
        "the plan and the stages",
        (EventSelector("plan"), EventSelector("progress"), EventSelector("status")),
    ),
    EventKind(
        "problems",
        "errors, warnings and what failed",
        (
            EventSelector("error"),
            EventSelector("notice", "level", ("warning",)),
            EventSelector("step", "phase", ("failed",)),
        ),
    ),
    EventKind("usage", "tokens and limits", (EventSelector("usage"), EventSelector("limits"))),
    EventKind("raw", "what this version does not know", (EventSelector("raw"),)),
    EventKind("all", "everything, every token count too"),
)
