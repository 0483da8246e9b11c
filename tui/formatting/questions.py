"""The sentences of the dialogs that ask before something is cancelled, retried or deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from engine.domain.activity import clock
from engine.domain.model import Run, Status
from engine.domain.text import size
from tui.formatting.runs import title
from tui.formatting.symbols import sign
from tui.terminal.cells import clean, crop

if TYPE_CHECKING:
    from engine.engine import CleanupItem, CleanupPlan

SHOWN = 4
"""Items that a question lists."""
TITLE = 40
"""Columns for a title within a sentence."""
WHEN_FREED = "Space is freed only when the trash is emptied."


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: `1 run`, `1,204 runs`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def names(runs: Sequence[Run], limit: int = 3) -> str:
    """Return the titles of runs: `“A”, “B” and 2 more`."""
    quoted = [f"“{crop(title(run), TITLE)}”" for run in runs[:limit]]
    if len(runs) > limit:
        return f"{', '.join(quoted)} and {len(runs) - limit} more"
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]


def _subject(runs: Sequence[Run]) -> str:
    return names(runs) if len(runs) == 1 else f"{counted(len(runs), 'run')}: {names(runs)}"


def interrupt(runs: Sequence[Run], long_s: float) -> str:
    """Return the question before turns are interrupted; `long_s`: so long a command has run."""
    what = f"Interrupt {_subject(runs)}?"
    if long_s:
        return f"{what} A command has run for {clock(long_s)}, and is ended."
    return f"{what} The commands of their turns are ended."


def cancel(
    runs: Sequence[Run], waiting: Sequence[Run], *, kill: bool = False, below: Sequence[Run] = ()
) -> str:
    """Return the question before runs are cancelled.

    It names the runs that wait for them, and those `below` them, which go on.
    """
    it, its = ("it", "Its workspace stays") if len(runs) == 1 else ("them", "Their workspaces stay")
    if kill:
        what = f"Kill {_subject(runs)} now? There is no time to finish a file. {its}."
    else:
        what = f"Cancel {_subject(runs)}? {its}."
    if below:
        started, goes = ("it", "goes") if len(below) == 1 else ("them", "go")
        by = "it" if len(runs) == 1 else "they"
        what += f" {names(below)}, which {by} started, {goes} on unless you cancel {started} too."
    if not waiting:
        return what
    verb = "waits" if len(waiting) == 1 else "wait"
    return f"{what} {names(waiting)} {verb} for {it} and will be cancelled too."


def retry(runs: Sequence[Run]) -> str:
    """Return the question before runs are retried that succeeded, or that are several."""
    what = f"Retry {_subject(runs)}?"
    count = sum(run.status is Status.SUCCEEDED for run in runs)
    if not count:
        return f"{what} Each continues where it stopped."
    if len(runs) == 1:
        return f"{what} It succeeded, and its agent will change its workspace again."
    return f"{what} {count} of them succeeded, and agents will change the workspaces again."


def start_over(runs: Sequence[Run]) -> str:
    """Return the question before a run starts in a new workspace."""
    folder = runs[0].workspace
    stays = f" The old workspace stays: {clean(folder.path, 300)}" if folder else ""
    return f"Start {_subject(runs)} over, with a new workspace and a new thread?{stays}"


# Deleting


FOR_GOOD_THERE = (
    "Checkpoints stay here; files there are deleted for good, also those that git ignores."
)
"""Consequence of a clean-up on nodes, where only changes that are not applied are looked for."""


def on_nodes(items: Iterable[CleanupItem]) -> int:
    """Return the number of workspaces on nodes, which have no trash."""
    return sum(bool(item.host) for item in items)


def delete(plan: CleanupPlan, runs: Mapping[str, Run]) -> str:
    """Return the question before the items of a plan are deleted; `runs` by their ids."""
    unsaved = [item for item in plan.keep if item.is_unsaved]
    if unsaved and not plan.take:
        there = f" {FOR_GOOD_THERE}" if on_nodes(unsaved) else ""
        return _unsaved(unsaved, runs) + there
    amount = size(sum(item.size for item in plan.take))
    count = counted(len(plan.take), plan.noun)
    if plan.artefacts_only:
        where = counted(len(plan.take), "workspace")
        return f"Delete {amount} of {_folders(plan.take)} in {where}? They can be built again."
    if plan.sessions:
        return f"Delete {count} for good ({amount})? Only Codex's records of conversations go."
    if plan.is_for_good:
        named = _named(plan.take) or count
        nodes = "the node" if len(plan.take) == 1 else "nodes"
        return f"Delete {named} ({amount}) on {nodes}? {FOR_GOOD_THERE}"
    question = f"Move {_named(plan.take) or count} ({amount}) to the trash?"
    if plan.on_nodes:
        question += f" {plan.on_nodes} of them are on nodes, without a trash. {FOR_GOOD_THERE}"
    return f"{question} {_unsaved(unsaved, runs, more=True)}" if unsaved else question


def delete_details(plan: CleanupPlan, width: int) -> list[str]:
    """Return the lines below that question: the items that go and stay, and when space is freed."""
    lines: list[str] = []
    # What has nothing to be rebuilt is not worth a line.
    kept = () if plan.artefacts_only else plan.keep
    several = len(plan.take) + len(kept) > 1
    for name, items in (("Goes", plan.take), ("Stays", kept)):
        if items and several:
            amount = size(sum(item.size for item in items))
            lines.append(f"{name}: {counted(len(items), plan.noun)}, {amount}")
            lines += [crop(_item(item), width) for item in items[:SHOWN]]
            lines += [f"{'':>10}  … and {len(items) - SHOWN} more"] * (len(items) > SHOWN)
    if plan.is_for_good:
        return lines
    if not several:
        lines += [item.why for item in (*plan.take, *plan.keep) if not item.unapplied]
    return [*lines, WHEN_FREED]


def _item(item: CleanupItem) -> str:
    return f"{size(item.size):>10}  {crop(clean(item.title, 200), 30)}: {item.why}"


def _named(items: Sequence[CleanupItem]) -> str:
    return f"the workspace of “{crop(clean(items[0].title, 200), TITLE)}”" * (len(items) == 1)


def _unsaved(items: Sequence[CleanupItem], runs: Mapping[str, Run], *, more: bool = False) -> str:
    one = len(items) == 1
    which = counted(len(items), "more workspace" if more else "workspace")
    which = "This workspace has" if one and not more else f"{which} {'has' if one else 'have'}"
    if not all(item.unapplied for item in items):
        return f"{which} work that is nowhere else{f': {items[0].why}' if one else ''}."
    files = sum(item.unapplied for item in items)
    known = [runs[item.run] for item in items if item.run in runs]
    added = sum(run.changes.insertions for run in known)
    removed = sum(run.changes.deletions for run in known)
    is_all = files == sum(run.changes.files for run in known)  # else part of it was applied
    minus = sign("−", "-")
    lines = f" (+{added:,} {minus}{removed:,})" if is_all else ""
    return f"{which} changes you have not applied: {counted(files, 'file')}{lines}."


def _folders(items: Sequence[CleanupItem]) -> str:
    """Return the names of rebuildable folders, those that take most room first."""
    sizes: Counter[str] = Counter()
    for item in items:
        for folder in item.folders:
            sizes[clean(PurePath(folder.path).name, 40)] += folder.size
    found = [name for name, _ in sizes.most_common()]
    if len(found) > 3:
        return f"{', '.join(found[:2])} and other rebuildable folders"
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)
