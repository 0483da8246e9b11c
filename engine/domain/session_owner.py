"""The part of a run that decides about its agent's session files."""

from __future__ import annotations

from engine.domain.hosts import path_here
from engine.domain.model import Run, Status, WorkspaceKind
from engine.domain.record import record


@record
class SessionOwner:
    """A run, as far as session files need it: there may be 50,000, of which few are looked at."""

    id: str
    title: str
    project: str
    status: Status
    created_at: float
    finished_at: float | None
    thread_id: str | None
    thread_account: str
    path: str
    """The path of its workspace on this machine; empty where it has none here."""
    is_in_place: bool
    forked: tuple[str, ...] = ()
    """The threads that its thread was forked from: their files are read with its own."""


def owner_of(run: Run) -> SessionOwner:
    """Return the session owner that a run is."""
    place = run.workspace
    return SessionOwner(
        run.id,
        run.spec.title,
        run.spec.project,
        run.status,
        run.created_at,
        run.finished_at,
        run.thread_id,
        run.thread_account,
        path_here(run),
        place is not None and place.kind is WorkspaceKind.IN_PLACE,
        tuple(run.spec.fork.threads) if run.spec.fork else (),
    )
