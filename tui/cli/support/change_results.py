"""Changes of runs, and results of applying, updating, pushing and restoring them, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from engine.domain.events import iso
from engine.domain.text import names_shown_as, printable_name
from tui.cli.support import output

if TYPE_CHECKING:
    from engine.domain.errors import UserError
    from engine.domain.model import Run
    from engine.engine import (
        Changes,
        Checkpoint,
        Conflict,
        FileDelta,
        PushResult,
        RestoreResult,
        RunApplied,
        UndoneApply,
        UpdateReport,
    )


def select_paths(changes: Changes, paths: Sequence[str]) -> Changes:
    """Return the changes of these files and of those below these folders; without paths, all."""
    wanted = [name for path in paths for name in names_shown_as(_below(path))]
    if not wanted or "" in wanted:
        return changes

    def is_wanted(path: str | None) -> bool:
        return path is not None and any(path == one or path.startswith(f"{one}/") for one in wanted)

    files = tuple(one for one in changes.files if is_wanted(one.path) or is_wanted(one.old_path))
    return replace(changes, files=files, left_out=tuple(filter(is_wanted, changes.left_out)))


def _below(path: str) -> str:
    """Return a path without the marks of a folder; empty for the workspace itself."""
    name = path.strip("/")
    return "" if name == "." else name.removeprefix("./")


def changes_json(changes: Changes) -> dict[str, Any]:
    """Return changes as `diff --json` prints them."""
    files = [_delta_json(file) for file in changes.files]
    return {**asdict(changes.total), "changes": files, "left_out": list(changes.left_out)}


def _delta_json(file: FileDelta) -> dict[str, Any]:
    return {
        "path": printable_name(file.path),
        "old_path": None if file.old_path is None else printable_name(file.old_path),
        "change": file.kind.value,
        "insertions": file.insertions,
        "deletions": file.deletions,
        "binary": file.binary,
        "type": "submodule" if file.is_submodule else "link" if file.is_link else "file",
        "old_commit": file.old_commit,
        "commit": file.commit,
    }


def stat_lines(changes: Changes) -> list[str]:
    """Return a line for each changed file, and one for the total."""
    lines = [_stat_line(file) for file in changes.files]
    total = changes.total
    return [*lines, f"{output.counted(total.files)}, +{total.insertions} −{total.deletions}"]


def _stat_line(file: FileDelta) -> str:
    name = printable_name(file.path)
    if file.old_path is not None:
        name = f"{printable_name(file.old_path)} → {name}"
    lines = "binary" if file.binary else f"+{file.insertions} −{file.deletions}"
    if file.is_submodule:
        lines, name = "submodule", f"{name} {_commits(file)}"
    return f"{file.kind.value:<9} {lines:>12}  {name}"


def _commits(file: FileDelta) -> str:
    """Return the commits of a submodule, before and after."""
    old, new = (commit[:10] if commit else "none" for commit in (file.old_commit, file.commit))
    return old if old == new else f"{old} → {new}"


def checkpoints_json(found: Iterable[Checkpoint]) -> list[dict[str, Any]]:
    """Return checkpoints as `restore --json` lists them."""
    return [{"n": one.n, "at": iso(one.at), "stage": one.message} for one in found]


def restored_json(done: RestoreResult) -> dict[str, Any]:
    """Return the result of a restore."""
    return {"files": _names(done.files), "undo": done.undo.n}


def applied_json(done: RunApplied, *, check: bool) -> dict[str, Any]:
    """Return the result of applying one run's changes, or of the check."""
    result = done.result
    fits = done.outcome.is_good
    return {
        "run": done.run,
        "outcome": done.outcome.value,
        "reason": asdict(done.error.info) if done.error else None,
        "applied": fits and not check and not result.is_nothing,
        "fits": fits,
        "files": _names(result.files),
        "submodules_left": _names(result.links_left),
        "conflicts": _conflicts_json(done.clashes),
        "commit": result.commit,
        "branch": result.branch,
        "merged_into": result.into,
        "signed": result.signed,
        "hooks_run": None if result.signed is None else False,
    }


def undone_json(run: str, done: UndoneApply) -> dict[str, Any]:
    """Return the result of undoing the last apply of a run."""
    return {"run": run, "undone": True, "to": done.to, "files": _names(done.files)}


def updated_json(report: UpdateReport, *, is_done: bool) -> dict[str, Any]:
    """Return the result of an update, or of its check."""
    return {
        "run": report.run.id,
        "updated": is_done and report.is_news,
        "base": report.base,
        "old": report.old,
        "new": report.new,
        "commits": report.commits,
        "files": list(report.files),
        "conflicts": _conflicts_json(report.conflicts),
        "left": list(report.left),
        "resumed": report.is_resumed,
        "error": None,
    }


def not_updated_json(run: Run, error: UserError) -> dict[str, Any]:
    """Return the row of one of several runs that was not updated, with the reason."""
    empty: dict[str, Any] = dict.fromkeys(("base", "old", "new"), "")
    lists: dict[str, Any] = {"files": [], "conflicts": [], "left": []}
    return {
        "run": run.id,
        "updated": False,
        **empty,
        "commits": 0,
        **lists,
        "resumed": False,
        "error": asdict(error.info),
    }


def update_undone_json(run: str, done: RestoreResult) -> dict[str, Any]:
    """Return the result of undoing the last update of a run."""
    return {"run": run, "undone": True, **restored_json(done)}


def pushed_json(done: PushResult) -> dict[str, Any]:
    """Return the result of a push."""
    return {"run": done.run.id, **asdict(done.pushed), "hooks_run": False}


def _conflicts_json(found: Sequence[Conflict]) -> list[dict[str, str]]:
    return [{"path": printable_name(one.path), "why": one.why} for one in found]


def _names(paths: Iterable[str]) -> list[str]:
    return [printable_name(path) for path in paths]
