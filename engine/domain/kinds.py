"""Which events a reader wants to see: the kinds a log can be narrowed to."""

from __future__ import annotations

from engine.domain.record import record


@record
class Sort:
    """Events of one type; with `field`, only those where it has one of `values`."""

    type: str
    field: str = ""
    values: tuple[str, ...] = ()


@record
class Kind:
    """A choice of events by its name; no sorts: all there are."""

    name: str
    meaning: str
    sorts: tuple[Sort, ...] = ()


USUAL = Kind("usual", "everything but old token counts")
KINDS: tuple[Kind, ...] = (
    USUAL,
    Kind(
        "messages",
        "what the agent says and thinks",
        (Sort("step", "role", ("assistant", "reasoning")),),
    ),
    Kind(
        "commands",
        "commands, tools and searches",
        (Sort("step", "kind", ("command", "mcp", "web_search", "agent", "sleep", "other")),),
    ),
    Kind(
        "files",
        "edits, changed files and artifacts",
        (
            Sort("step", "kind", ("file_change",)),
            Sort("files"),
            Sort("changes"),
            Sort("artifact"),
            Sort("checkpoint"),
        ),
    ),
    Kind("plan", "the plan and the stages", (Sort("plan"), Sort("progress"), Sort("status"))),
    Kind(
        "problems",
        "errors, warnings and what failed",
        (
            Sort("error"),
            Sort("notice", "level", ("warning",)),
            Sort("step", "phase", ("failed",)),
        ),
    ),
    Kind("usage", "tokens and limits", (Sort("usage"), Sort("limits"))),
    Kind("raw", "what this version does not know", (Sort("raw"),)),
    Kind("all", "everything, every token count too"),
)
