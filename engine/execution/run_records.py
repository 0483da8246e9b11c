"""Records of runs, a second copy in their folders: `run.json`.

The database alone is the truth. The record is for the day when it is lost (`execution/recovery`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from engine.config.paths import Paths, private_folder
from engine.domain.annotation import Annotation
from engine.domain.base_update import WorkspaceUpdated
from engine.domain.events import (
    ApplyUndone,
    Body,
    CheckpointTaken,
    Notice,
    Progressed,
    StatusChanged,
)
from engine.domain.file_marks import FilesReviewed
from engine.domain.lifecycle import FINISHED
from engine.domain.model import AttemptRequest, Run, Status
from engine.domain.pull_request import PullRequestSeen
from engine.domain.push import BranchPushed
from engine.domain.review_comment import ReviewComment
from engine.store import codec, typed
from engine.store.appending import AppendRequest, Committed
from engine.store.presence import RECORD, missing
from engine.store.reading import StoreReader
from engine.store.rebuilt import is_unreadable
from engine.system.durable import write_synced
from engine.system.files import read_regular

FORMAT = 2
"""1: without the types that `engine.store.typed` adds."""
WAITING = frozenset({Status.QUEUED, Status.PREPARING})
"""Statuses that are known of an attempt before its agent starts."""
SLACK_S = 1.0
"""A record that was written so long after the last known change of its run is read."""
THREADS = 8
"""Number of records written at a time: a disk syncs many files as fast as one."""


class RunRecords:
    """Records of the runs of one home."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._turn = asyncio.Lock()

    async def keep(self, done: Committed, entries: Sequence[AppendRequest] = ()) -> None:
        """Write the records of the runs that changed in a way that matters; raises OSError."""
        changed = {event.run for event in done.events if _matters(event.body)}
        if changed:
            asks = {entry.run: entry.ask for entry in entries if entry.ask}
            async with self._turn:
                await asyncio.to_thread(self._write, [done.runs[run] for run in changed], asks)

    def _write(self, runs: Sequence[Run], asks: dict[str, AttemptRequest]) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._write_one, runs, [asks.get(run.id) for run in runs]))

    def rewrite(self, run: Run) -> None:
        """Write the record of a rebuilt run, whose events are counted again. Raises OSError."""
        self._write_one(run, None, is_rebuilt=True)

    def _write_one(self, run: Run, ask: AttemptRequest | None, *, is_rebuilt: bool = False) -> None:
        folder = self._paths.run(run.id)
        is_new = run.attempt == 1 and run.started_at is None
        if not is_new and not folder.is_dir():
            return  # its files were deleted
        before = _known(folder)
        if not is_rebuilt and before.get("state", {}).get("seq", 0) > run.seq:
            return  # another process was quicker with what came later
        asks = before.get("asks", {})
        if ask:
            asks[str(run.attempt)] = codec.ask_text(ask)
        record = {
            "format": FORMAT,
            "spec": json.loads(codec.spec_text(run.spec)),
            "state": json.loads(codec.state_text(run)),
            "asks": asks,
        }
        write_synced(private_folder(folder) / RECORD, json.dumps(record).encode())


def read(folder: Path) -> tuple[Run, dict[int, AttemptRequest]] | None:
    """Return a run as its record has it, and what its attempts were to do; None without one."""
    try:
        found = json.loads(read_regular(folder / RECORD))
        state = json.dumps(found["state"])
        if found.get("format", 1) == 1:
            state = typed.state(state.encode()) or state
        run = codec.run_from(json.dumps(found["spec"]), state)
        asks = {int(n): codec.ask_from(text) for n, text in found["asks"].items()}
    except OSError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # damaged
        return None
    return run, asks


def put_aside(folder: Path) -> None:
    """Rename a record of which no run can be made: it would be missed in the database for ever."""
    with suppress(OSError):
        (folder / RECORD).rename(folder / f"{RECORD}.damaged")


async def check_behind(paths: Paths, store: StoreReader) -> None:
    """Raise `UserError` DATABASE_MISSING where the database is older than the records of its runs.

    An old copy was put back, or the log that held the last changes was deleted: attempts that have
    long begun would begin again, and the work done in them be discarded.
    """
    changes = await store.last_changes()
    suspects = await asyncio.to_thread(_suspects, paths, changes)
    if any(run_id not in changes for run_id in suspects):
        gone = set((await store.forgotten()).runs)  # one may have got files late
        suspects = [run_id for run_id in suspects if run_id not in gone]
    # Read again: a run may have been added, started or cancelled in between.
    known = {run.id: run for run in await store.runs(ids=suspects)} if suspects else {}
    for run_id in suspects:
        if _is_ahead(paths, run_id, known.get(run_id)):
            how = f"is older than the folders of its runs: it misses how {run_id} went on"
            raise missing(paths.database, how)


def _suspects(paths: Paths, changes: dict[str, float | None]) -> list[str]:
    """Return the runs whose record was written after their last change, and those not known."""
    found: list[str] = []
    for folder in folders(paths):
        at = changes.get(folder.name)
        with suppress(OSError):  # no record
            if (folder / RECORD).stat().st_mtime > (at or 0.0) + SLACK_S:
                found.append(folder.name)
    # Those that are live are few, and the clock may have moved.
    return list({*found, *(run_id for run_id, at in changes.items() if at is None)})


def _is_ahead(paths: Paths, run_id: str, run: Run | None) -> bool:
    """Return whether the record of a run knows of something reported that the database lacks."""
    found = read(paths.run(run_id))
    if found is None or found[0].id != run_id:
        return False
    if run is not None and is_unreadable(run):
        return False  # a damaged row: its next change rebuilds it from its events
    recorded = found[0]
    if run is None or recorded.attempt != run.attempt:
        return run is None or recorded.attempt > run.attempt
    if run.status in WAITING and recorded.status not in WAITING:
        return True
    # While an attempt runs, what is read again from its files may be on the disk or not.
    return recorded.status in FINISHED and recorded.seq > run.seq


def _known(folder: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(read_regular(folder / RECORD))
        return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    return {}


def _matters(body: Body) -> bool:
    match body:
        case StatusChanged() | Annotation() | ReviewComment() | ApplyUndone() | FilesReviewed():
            return True
        case BranchPushed() | PullRequestSeen() | WorkspaceUpdated():
            return True
        case Progressed():
            return bool(body.details and "path" in body.details)
        case CheckpointTaken():
            return body.n == 0
        case Notice():
            return body.applied is not None or body.trash is not None
        case _:
            return False


def folders(paths: Paths) -> Iterable[Path]:
    """Return the folders of all runs, the oldest first."""
    try:
        return sorted(path for path in (paths.home / "runs").iterdir() if path.is_dir())
    except FileNotFoundError:
        return []
