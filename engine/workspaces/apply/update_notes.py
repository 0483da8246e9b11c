"""Notes beside a run's checkpoints: the update that made a baseline, and commits checked out.

They are written before the files are placed. So the last checkpoint shows which update counts, even
if the program is killed before the event of the update is stored.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import msgspec

from engine.domain.base_update import UpdatePhase, WorkspaceUpdated
from engine.domain.record import record
from engine.system.decoding import convert, json_decoder
from engine.system.durable import write_synced
from engine.workspaces.checkpoints.checkpoint_refs import Checkpoint
from engine.workspaces.checkpoints.checkpoints import Checkpoints

_NOTES = "swarm-updates.json"
_log = logging.getLogger(__name__)


@record
class NotedState:
    """The state of a store: its last checkpoint, and the update that its baseline comes from.

    `update` is None at the first baseline.
    """

    points: tuple[Checkpoint, ...]
    update: WorkspaceUpdated | None


async def note_update(store: Checkpoints, baseline: str, update: WorkspaceUpdated) -> None:
    """Note the update that a baseline comes from."""
    await asyncio.to_thread(_note, store.git.git_dir, "updates", baseline, asdict(update))


async def note_head(store: Checkpoints, point: Checkpoint, commit: str) -> None:
    """Note the commit that the worktree has checked out at a checkpoint."""
    await asyncio.to_thread(_note, store.git.git_dir, "heads", str(point.n), commit)


async def head_at(store: Checkpoints, target: Checkpoint) -> str | None:
    """Return the commit of the worktree when the baseline of a checkpoint last counted.

    It is the one noted before the next change of the baseline; None where none was noted.
    """
    heads = (await asyncio.to_thread(_read, store.git.git_dir))["heads"]
    found: str | None = None
    for point in await store.list():
        if point.n < target.n:
            continue
        if point.baseline != target.baseline:
            break
        noted = heads.get(str(point.n))
        found = noted if isinstance(noted, str) else found
    return found


async def noted_state(store: Checkpoints) -> NotedState | None:
    """Return the state of a store; None where nothing is noted about its baseline."""
    updates = (await asyncio.to_thread(_read, store.git.git_dir))["updates"]
    if not updates:
        return None
    points = tuple(await store.list())
    baseline = points[-1].baseline
    if not baseline:
        return NotedState(points, None)
    try:
        return NotedState(points, convert(updates[baseline], WorkspaceUpdated))
    except (KeyError, msgspec.ValidationError):  # a version of this program that noted none
        return None


def are_there(folder: Path) -> bool:
    """Return whether a store has notes on updates. Blocking."""
    return (folder / _NOTES).exists()


def is_same(one: WorkspaceUpdated | None, other: WorkspaceUpdated | None) -> bool:
    """Return whether both are the same update, however many conflicts are left."""
    if one is None or other is None:
        return one is other
    return _key(one) == _key(other)


def corrections(
    now: WorkspaceUpdated | None, update: WorkspaceUpdated | None
) -> Sequence[WorkspaceUpdated]:
    """Return the events that bring the recorded update `now` to the one that counts."""
    if is_same(now, update):
        return []
    found: list[WorkspaceUpdated] = []
    if now and (update is None or update.checkpoint < now.checkpoint):
        found.append(undone(now))
    return [*found, update] if update else found


def undone(update: WorkspaceUpdated, files: int = 0) -> WorkspaceUpdated:
    """Return the event that an update was undone."""
    return replace(update, phase=UpdatePhase.UNDONE, files=files, conflicts=())


def _key(update: WorkspaceUpdated) -> tuple[object, ...]:
    return update.base, update.old, update.new, update.checkpoint


def _read(folder: Path) -> dict[str, dict[str, object]]:
    empty: dict[str, dict[str, object]] = {"updates": {}, "heads": {}}
    try:
        return empty | json_decoder(dict[str, dict[str, object]])((folder / _NOTES).read_bytes())
    except FileNotFoundError:
        return empty
    except (OSError, msgspec.MsgspecError, RecursionError) as error:
        _log.warning("%s: what is noted of updates cannot be read: %s", folder, error)
        return empty


def _note(folder: Path, kind: str, key: str, value: object) -> None:
    notes = _read(folder)
    notes[kind][key] = value
    write_synced(folder / _NOTES, json.dumps(notes).encode("ascii"))
