"""Marks of reviewed files: of the changed files of a run, listed, set and removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.domain.errors import user_error
from engine.domain.text import printable_name
from tui.cli.support.change_results import select_paths

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.engine import Changes, FileDelta
    from engine.ports.engine import EnginePort


@dataclass(frozen=True, slots=True)
class MarkedFile:
    """A changed file, and whether it is marked and has not changed since."""

    file: FileDelta
    is_reviewed: bool


async def marked_files(
    engine: EnginePort, name: str, paths: Sequence[str] = (), mark: bool | None = None
) -> list[MarkedFile]:
    """Return the changed files of a run, all or those below these paths.

    With `mark`, they are marked as reviewed (False: no longer) before. Raises `UserError`.
    """
    run = await engine.find(name)
    changes = await engine.workspaces.changes(run.id)
    wanted = changes
    if paths:
        wanted = _wanted(changes, paths)
    if mark is not None:
        marks = {one.path: one.fingerprint if mark else "" for one in wanted.files}
        run = await engine.annotations.mark_reviewed(run.id, marks)
    return _marked(run, wanted)


def _wanted(changes: Changes, paths: Sequence[str]) -> Changes:
    for path in paths:
        if not select_paths(changes, [path]).files:
            message = f"The run has not changed {printable_name(path)}."
            raise user_error("INPUT_INVALID", message, "`diff RUN --stat` lists the changed files.")
    return select_paths(changes, paths)


def _marked(run: Run, changes: Changes) -> list[MarkedFile]:
    known = {one.file: one.fingerprint for one in run.reviewed}
    return [MarkedFile(one, known.get(one.path) == one.fingerprint) for one in changes.files]


def marked_json(found: Sequence[MarkedFile]) -> list[dict[str, Any]]:
    """Return files as `reviewed --json` prints them."""
    return [
        {
            "path": printable_name(one.file.path),
            "change": one.file.kind.value,
            "is_reviewed": one.is_reviewed,
        }
        for one in found
    ]
