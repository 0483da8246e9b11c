"""Summaries of ended runs, and the commands that can be typed next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from engine.domain.activity import elapsed_s, took
from engine.domain.errors import entry_of
from engine.domain.hosts import place_text
from engine.domain.model import Run, Status, WorkspaceKind
from tui import formatting
from tui.cli.support import output

if TYPE_CHECKING:
    from engine.engine import Changes

MAX_FILES = 30
MAX_NAMED = 4
"""Runs that a command to type next names one by one."""


def full_title(run: Run) -> str:
    """Return a run's title, with the label of a simulated one."""
    label = formatting.label(run)
    return f"{formatting.title(run)} ({label})" if label else formatting.title(run)


def headline(run: Run) -> str:
    """Return the end of a run in one line."""
    duration = took(elapsed_s(run, run.last_event_at))
    return f"{run.id} {formatting.word(run.status)} after {duration} · {full_title(run)}"


def details(run: Run, changes: Changes | None = None, cost_usd: float | None = None) -> list[str]:
    """Return the usage, cost and changes of a run, where its files are, and the next commands."""
    lines: list[str] = []
    if run.usage.input or run.usage.output:
        given, made = map(formatting.tokens, (run.usage.input, run.usage.output))
        cost = formatting.cost_label(cost_usd)
        lines.append(f"  {given} tokens in · {made} out{f' · {cost}' if cost else ''}")
    if run.has_unknown_changes:
        lines.append("  the changes of this run are unknown")
    elif run.changes.files:
        lines.append(f"  {output.counted(run.changes.files)} {formatting.changes(run.changes)}")
        lines += [f"    {line}" for line in _files(changes)]
    if run.workspace:
        lines.append(f"  workspace: {place_text(run.workspace)}")
    return [*lines, *(f"  next: {words}" for words in next_steps(run))]


def _files(changes: Changes | None) -> list[str]:
    from tui.cli.support.changed_tree import TreeLeaf, tree

    if changes is None:
        return []
    minus = formatting.sign("−", "-")
    leaves = [
        TreeLeaf(
            file.path,
            file.kind.value,
            "submodule"
            if file.is_submodule
            else "binary"
            if file.binary
            else f"+{file.insertions} {minus}{file.deletions}",
        )
        for file in changes.files
    ]
    return tree(leaves, MAX_FILES)


def next_steps(run: Run) -> list[str]:
    """Return the commands that apply now."""
    steps: list[str] = []
    error = entry_of(run.error.code if run.error else "")
    if run.status in (Status.FAILED, Status.INTERRUPTED):
        steps.append(f"logs {run.id}{' --stderr' if error.has_stderr else ''}")
    if run.changes.files and not run.has_unknown_changes:
        steps.append(f"diff {run.id}")
    if run.status is Status.SUCCEEDED:
        if run.changes.files and _has_source(run):
            steps.append(f"apply {run.id}")
        steps += [f"resume {run.id} MESSAGE"] if steps else [f"show {run.id}"]
    elif error.is_resumable:
        steps.append(f"resume {run.id} MESSAGE")
    elif not error.is_final:
        steps.append(f"retry {run.id}")
    return [f"swarm-tui {step}" for step in steps]


def _has_source(run: Run) -> bool:
    return run.workspace is not None and run.workspace.kind in (
        WorkspaceKind.WORKTREE,
        WorkspaceKind.COPY,
    )


def together(runs: Mapping[str, Run]) -> list[str]:
    """Return the ends of several runs in a few lines, and the next commands."""
    counted = Counter(run.status for run in runs.values())
    order = dict.fromkeys([*Status, *counted])
    lines = [" · ".join(f"{counted[status]} {status}" for status in order if counted[status])]
    good = [run.id for run in runs.values() if run.status is Status.SUCCEEDED and run.changes.files]
    bad = [run.id for run in runs.values() if run.status is not Status.SUCCEEDED]
    return lines + [
        f"  next: swarm-tui {command} {' '.join(ids)}"
        for command, ids in (("retry", bad), ("apply", good))
        if 0 < len(ids) <= MAX_NAMED
    ]


def reason(run: Run) -> Iterable[str]:
    """Return in a line why a run failed and what to do, if it did."""
    return () if run.error is None else (f"  {run.error.code}: {run.error.message}",)
