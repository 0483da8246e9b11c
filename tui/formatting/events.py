"""How an event looks in a log."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from engine.domain.activity import clock
from engine.domain.events import (
    ArtifactSaved,
    Body,
    ChangesMeasured,
    CheckpointTaken,
    ErrorRaised,
    Event,
    FileChange,
    FilesChanged,
    LimitsSeen,
    Notice,
    PlanChanged,
    Progressed,
    Raw,
    StatusChanged,
    Step,
    UsageCounted,
)
from engine.domain.model import ChangeCount
from engine.domain.record import record
from engine.domain.text import size
from tui.formatting.limits import window_name
from tui.formatting.numbers import changes, tokens
from tui.formatting.runs import glyph, tone, word
from tui.formatting.symbols import sign
from tui.terminal.cells import MAX_LINE, clean

MAX_EXTRA = 400
"""Lines of an event's output that are kept for showing."""


@record
class EventLine:
    """An event as a log shows it: one line, and more lines that are folded to a few.

    `tone` is a key of `TONES`. `prose` is meant to be read and wraps; of other extra lines the
    last `fold` stay when folded, as they tell most. `detail` is for those who unfold: the whole
    truth behind what `text` says for short. `paths` are the files it is about, as they are: one
    for each extra line, or one alone.
    """

    glyph: str
    kind: str
    text: str
    tone: str = "plain"
    extra: tuple[str, ...] = ()
    prose: bool = False
    fold: int = 3
    detail: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


_BOLD = re.compile(r"(?<![\w*])\*\*(?=[^\s*])(.+?)(?<=[^\s*])\*\*(?![\w*])")


def plain(text: str) -> str:
    """Take the asterisks of Markdown's bold out of a line; others mean what they say."""
    return _BOLD.sub(r"\1", text)


def event_line(event: Event) -> EventLine:
    """Say how an event looks in a log."""
    return _LINES[type(event.body)](event.body)


def lines(text: str, limit: int = MAX_EXTRA) -> tuple[str, ...]:
    """Give the last `limit` lines of `text`, each harmless; blank ones at the ends left out."""
    clipped = text[-limit * MAX_LINE :].strip("\n").splitlines()
    while clipped and not clipped[-1].strip():
        clipped.pop()
    kept = clipped[-limit:]
    left_out = len(clipped) - len(kept)
    shown = tuple(clean(line.rstrip()) for line in kept)
    return (f"… {left_out} lines before", *shown) if left_out else shown


def _prose(text: str) -> tuple[str, tuple[str, ...]]:
    shown = [clean(line.rstrip()) for line in text[: MAX_EXTRA * MAX_LINE].strip().splitlines()]
    return (shown[0], tuple(shown[1:MAX_EXTRA])) if shown else ("", ())


def _status(body: StatusChanged) -> EventLine:
    parts = [word(body.status), clean(body.reason, 500)]
    if body.exit_code:
        parts.append(f"exit {body.exit_code}")
    text = " · ".join(part for part in parts if part)
    return EventLine(glyph(body.status), "status", text, tone(body.status))


def _progress(body: Progressed) -> EventLine:
    text = f"{clean(body.message, 500) or body.stage.value.replace('_', ' ')}"
    if body.elapsed_s is not None:
        text = f"{text} · {clock(body.elapsed_s)}"
    return EventLine(sign("›", ">"), "stage", f"{text} · {body.percent}%", "dim")


def _step(body: Step) -> EventLine:
    if body.role != "tool":
        return _saying(body)
    if body.kind == "command":
        return _command(body)
    done = body.phase != "started"
    look = "bad" if body.phase == "failed" else "plain" if done else "dim"
    text = clean(body.text or body.command or body.kind)
    if body.kind == "file_change":
        text, look = paths(body.changes or ()), "busy" if look == "plain" else look
        mark, text = sign("±", "*"), text or "no files"
        return EventLine(mark, "edit", text, look, _each(body), fold=0, paths=_paths(body))
    marks = {
        "mcp": (sign("◇", "*"), "tool"),
        "web_search": (sign("◎", "@"), "search"),
        "agent": (sign("◇", "*"), "agent"),
        "sleep": (sign("·", "."), "sleep"),
    }
    mark, kind = marks.get(body.kind, (sign("·", "."), "step"))
    return EventLine(mark, kind, text, look, lines(body.output or ""))


def _saying(body: Step) -> EventLine:
    first, rest = _prose(body.text)
    text, more = plain(first), tuple(map(plain, rest))
    if body.role == "reasoning":
        return EventLine(sign("∴", "~"), "thinks", text, "dim", more, prose=True)
    return EventLine(sign("▪", "="), "says", text, "plain", more, prose=True)


def _command(body: Step) -> EventLine:
    text = clean(body.text or body.command or "")
    full = clean(body.command or "")
    detail = () if full in ("", text) else (full,)
    if body.phase == "started":
        return EventLine(sign("▸", ">"), "runs", text, "live", detail=detail)
    failed = body.phase == "failed" or bool(body.exit_code)
    if body.exit_code:
        text = f"exit {body.exit_code} · {text}"
    elif failed:
        text = f"failed · {text}"
    mark, tone = (sign("✗", "x"), "bad") if failed else (sign("✓", "+"), "good")
    return EventLine(mark, "ran", text, tone, lines(body.output or ""), detail=detail)


MAX_NAMED = 6
"""Changed files that one line names."""

_LETTERS = {"added": "A", "modified": "M", "deleted": "D", "renamed": "R"}


def change_letter(change: str) -> str:
    """Give the letter of a change, as git writes it: A, M, D or R."""
    return _LETTERS.get(change, "M")


def change_sign(change: str) -> str:
    """Give the sign of a change, which stands in front of the file."""
    match change:
        case "added":
            return "+"
        case "deleted":
            return sign("−", "-")
        case "renamed":
            return sign("→", ">")
        case _:
            return "~"


_CHANGE_TONES = {"added": "good", "modified": "warn", "deleted": "bad", "renamed": "live"}


def change_tone(change: str) -> str:
    """Give the tone of a change, a key of `TONES`."""
    return _CHANGE_TONES.get(change, "warn")


def paths(changed: Iterable[FileChange], limit: int = MAX_NAMED) -> str:
    """Name changed files on one line: `A new.py, M old.py and 3 more`."""
    changed = tuple(changed)
    names = ", ".join(
        f"{change_letter(one.change)} {clean(one.path, 200)}" for one in changed[:limit]
    )
    return f"{names} and {len(changed) - limit} more" if len(changed) > limit else names


def _each(body: Step | FilesChanged) -> tuple[str, ...]:
    """Give a line for each changed file, where there are several."""
    changed = body.changes or ()
    if len(changed) == 1:
        return ()
    return tuple(
        f"{change_letter(one.change)} {clean(one.path, 500)}" for one in changed[:MAX_EXTRA]
    )


def _paths(body: Step | FilesChanged) -> tuple[str, ...]:
    return tuple(one.path for one in (body.changes or ())[:MAX_EXTRA])


def _plan(body: PlanChanged) -> EventLine:
    done = sum(item.completed for item in body.items)
    current = next((clean(item.text, 300) for item in body.items if not item.completed), "all done")
    ticked, open_ = sign("☑", "[x]"), sign("☐", "[ ]")
    extra = tuple(
        f"{ticked if item.completed else open_} {clean(item.text, 300)}" for item in body.items
    )
    return EventLine(
        sign("≡", "#"),
        "plan",
        f"{done}/{len(body.items)} · {current}",
        "busy",
        extra[:MAX_EXTRA],
        fold=0,
    )


def _files(body: FilesChanged) -> EventLine:
    mark, named = sign("±", "*"), paths(body.changes)
    return EventLine(mark, "files", named, "dim", _each(body), fold=0, paths=_paths(body))


def _changes(body: ChangesMeasured) -> EventLine:
    files = f"{body.files} file{'' if body.files == 1 else 's'}"
    figures = changes(ChangeCount(body.files, body.insertions, body.deletions))
    return EventLine(sign("±", "*"), "changes", f"{files} {figures}".strip(), "dim")


def _usage(body: UsageCounted) -> EventLine:
    text = f"{tokens(body.input_tokens)} in · {tokens(body.output_tokens)} out"
    if body.cached_input_tokens:
        text += f" · {tokens(body.cached_input_tokens)} cached"
    return EventLine(sign("Σ", "#"), "tokens", text, "dim")


def _limits(body: LimitsSeen) -> EventLine:
    shown = (f"{window_name(window)} {window.used_percent:g}% used" for window in body.windows)
    return EventLine("%", "limits", " · ".join(shown), "dim")


def _notice(body: Notice) -> EventLine:
    warning = body.level == "warning"
    text, more = _prose(body.text)
    return EventLine("!" if warning else "i", "notice", text, "warn" if warning else "dim", more)


def _checkpoint(body: CheckpointTaken) -> EventLine:
    text = f"checkpoint {body.n} · {clean(body.stage, 60)}"
    return EventLine(sign("◆", "*"), "saved", text, "dim")


def _artifact(body: ArtifactSaved) -> EventLine:
    text = f"{clean(body.path, 300)} · {size(body.bytes)}"
    return EventLine(sign("↓", "v"), "artifact", text, "dim")


def _error(body: ErrorRaised) -> EventLine:
    error = body.error
    text = f"{clean(error.message, MAX_LINE)} ({clean(error.code, 60)})"
    return EventLine(sign("✗", "x"), "error", text, "bad", (clean(error.recovery),), prose=True)


def _raw(body: Raw) -> EventLine:
    try:
        text = json.dumps(body.data, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        text = str(body.data)
    return EventLine("?", "raw", clean(text), "dim")


_LINES: dict[type[Body], Callable[[Any], EventLine]] = {
    StatusChanged: _status,
    Progressed: _progress,
    Step: _step,
    PlanChanged: _plan,
    FilesChanged: _files,
    ChangesMeasured: _changes,
    UsageCounted: _usage,
    LimitsSeen: _limits,
    Notice: _notice,
    CheckpointTaken: _checkpoint,
    ArtifactSaved: _artifact,
    ErrorRaised: _error,
    Raw: _raw,
}
