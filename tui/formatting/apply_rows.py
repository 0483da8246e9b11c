"""Text about the apply of several runs: a block of lines for each run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.domain import lifecycle
from engine.domain.apply_outcome import ApplyOutcome
from engine.domain.model import Run, WorkspaceKind
from engine.engine import ApplyMode
from tui.formatting.applied import committed
from tui.formatting.numbers import changed
from tui.formatting.runs import left_conflicts, run_glyph, run_tone, title
from tui.formatting.symbols import sign
from tui.terminal.cells import clean, crop

if TYPE_CHECKING:
    from engine.engine import ApplyResult, RunApplied

Part = tuple[str, str]
Line = list[Part]
SHOWN = 4
"""Files that are named of each run."""
WAY_OUT = "Commit or move these files, or apply as a commit or a patch."
HAND_OVER = "R hands the conflict to its agent, as U in the list does."
BY_HAND = "Merge these files yourself, or apply as a commit or a patch."
_COMMITTED = ("in the run", "the run deleted it", "the run changed it")
"""The ends of reasons about files that are committed in the source."""
RESUMED = "Its agent was asked to resolve the conflicts: apply it when it has ended."
UPDATED = "It was updated onto its base without conflicts."
STOPPED = "Not tried: you stopped before it."


@dataclass(slots=True)
class ApplyRow:
    """The state of the apply of one run."""

    run: Run
    where: str = ""
    """Target of its changes; empty where the row above it has the same."""
    checked: RunApplied | None = None
    done: RunApplied | None = None
    words: str = ""
    """The result, in words."""
    note: str = ""
    """The request that was sent to its agent."""
    is_handed_over: bool = False
    """True if its agent was asked to resolve the conflicts."""
    is_busy: bool = False
    is_stopped: bool = False

    @property
    def is_applied(self) -> bool:
        """Return whether its changes were applied."""
        return self.done is not None and self.done.outcome is ApplyOutcome.APPLIED

    @property
    def can_apply(self) -> bool:
        """Return whether an apply may still bring something: runs that were not checked count."""
        latest = self.checked or self.done
        if self.is_applied or self.is_busy or self.is_handed_over:
            return False
        if latest is None:
            return True
        return latest.outcome is ApplyOutcome.FITS and bool(latest.result.files)

    @property
    def conflicts(self) -> bool:
        """Return whether it did not fit when it was last checked or applied."""
        latest = self.checked or self.done
        return (
            not self.is_applied and latest is not None and latest.outcome is ApplyOutcome.CONFLICT
        )

    @property
    def can_resolve(self) -> bool:
        """Return whether its agent can be asked to resolve the conflicts."""
        is_over = self.run.status in lifecycle.FINISHED and bool(self.run.thread_id)
        return self.conflicts and is_over and not self.is_handed_over


def files(count: int) -> str:
    """Write a number of files."""
    return f"{count} file{'' if count == 1 else 's'}"


def source_words(run: Run) -> str:
    """Write the folder that a run's changes belong in.

    Only the engine knows it of a run that was made from another.
    """
    place = run.workspace
    if place and place.kind is WorkspaceKind.FROM_RUN:
        return "the source of the first run"
    return clean((place and place.source) or "", 200)


def done_words(run: Run, how: ApplyMode, done: ApplyResult) -> str:
    """Write what was applied, and where."""
    if not done.files:
        return "nothing was new."
    if how is ApplyMode.EDITS:
        where = source_words(run)
        return f"{files(len(done.files))} edited in {where}; nothing is committed."
    return f"{files(len(done.files))} {committed(done, how)}."


def block(row: ApplyRow) -> list[Line]:
    """Write a run and the state of its apply."""
    run = row.run
    head: Line = [
        (f"{sign('✗', 'x')} ", "bad") if row.conflicts else (f"{run_glyph(run)} ", run_tone(run)),
        (crop(title(run), 40), "plain"),
        (f"  {run.id}", "dim"),
        (f"  {changed(run)}", "plain"),
        ("  still at work" if run.status in lifecycle.ACTIVE else "", "warn"),
    ]
    where = [_line("dim", f"to {row.where}")] if row.where else []
    note = [_line("live", row.note)] if row.note else []
    left = "" if row.is_applied else left_conflicts(run)
    warning = [_line("bad", f"{left} (the markers would be applied)")] if left else []
    return [head, *where, *warning, *_state(row), *note]


def summary(rows: Sequence[ApplyRow]) -> str:
    """Write how many runs were applied, and how many not."""
    applied = sum(row.is_applied for row in rows)
    conflicts = sum(row.conflicts for row in rows)
    stopped = sum(row.is_stopped for row in rows)
    rest = len(rows) - applied - conflicts - stopped
    parts = [f"{applied} of {len(rows)} applied"]
    parts += [f"{conflicts} did not fit"] if conflicts else []
    parts += [f"{rest} skipped"] if rest else []
    parts += [f"{stopped} not tried"] if stopped else []
    return f"{', '.join(parts)}.{_names(rows)}"


def _names(rows: Sequence[ApplyRow]) -> str:
    """Write the titles of the runs that were not applied."""
    left = [crop(title(row.run), 40) for row in rows if not row.is_applied]
    if not left or len(rows) == 1:
        return ""
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    return f" Left: {', '.join(left[:SHOWN])}{more}."


def _state(row: ApplyRow) -> list[Line]:
    if row.is_busy:
        return [_line("live", "applying …")]
    if row.is_applied:
        return [_line("good", f"{sign('✓', '+')} {row.words}")]
    if row.is_stopped:
        return [_line("warn", f"{sign('–', '-')} {STOPPED}")]
    latest = row.checked or row.done
    if latest is None:
        return [_line("dim", "checking …")]
    if latest.outcome is ApplyOutcome.CONFLICT:
        return _conflict(latest, _advice(row, latest))
    if latest.error:
        skipped = f"{sign('–', '-')} skipped: {latest.error.message}"
        return [_line("bad", skipped), _line("dim", latest.error.recovery)]
    return _fits(latest.result)


def _advice(row: ApplyRow, latest: RunApplied) -> str:
    if not all(one.why.endswith(_COMMITTED) for one in latest.clashes):
        return WAY_OUT
    return HAND_OVER if row.can_resolve else BY_HAND


def _conflict(latest: RunApplied, advice: str) -> list[Line]:
    reasons = [one.why.replace("changed here", "changed in the source") for one in latest.clashes]
    paths = [clean(one.path, 200) for one in latest.clashes[:SHOWN]]
    named = [f"{path} {why}".strip() for path, why in zip(paths, reasons, strict=False)]
    more = len(latest.clashes) - SHOWN
    named += [f"and {more} more"] if more > 0 else []
    head = f"{sign('✗', 'x')} does not fit:"
    return [_line("bad", head), *(_line("bad", f"  {one}") for one in named), _line("dim", advice)]


def _fits(result: ApplyResult) -> list[Line]:
    if not result.files:
        return [_line("dim", "nothing new: all of it is there already")]
    names = ", ".join(clean(name, 100) for name in result.files[:SHOWN])
    more = len(result.files) - SHOWN
    text = f"{files(len(result.files))}: {names}{f' and {more} more' if more > 0 else ''}"
    left = len(result.left_out)
    out = [_line("warn", f"{files(left)} could not be read, and stay out")] if left else []
    links = ", ".join(clean(name, 100) for name in result.links_left[:SHOWN])
    if links:
        out.append(_line("warn", f"edits do not set the commit of a submodule: {links}"))
    return [_line("good", text), *out]


def _line(tone: str, text: str) -> Line:
    return [(f"  {clean(text, 1000)}", tone)]
