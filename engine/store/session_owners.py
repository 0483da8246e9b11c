"""All runs as owners of session files: an eighth of the work of decoding them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from sys import intern

import msgspec

from engine.domain.model import LOCAL, Status, WorkspaceKind
from engine.domain.session_owner import SessionOwner, owner_of
from engine.store import codec
from engine.store.reading import StoreReader
from engine.system.decoding import json_decoder

PAGE = 1_000
_PAGE = "SELECT spec, state, id FROM runs WHERE id > ? ORDER BY id LIMIT ?"


class _Fork(msgspec.Struct, gc=False):
    threads: tuple[str, ...] = ()


class _Spec(msgspec.Struct, gc=False):
    title: str
    project: str
    fork: _Fork | None = None


class _Place(msgspec.Struct, gc=False):
    kind: WorkspaceKind
    path: str
    host: str = LOCAL


class _State(msgspec.Struct, gc=False):
    """The part of a stored state that an owner holds, with the types and defaults of `Run`."""

    id: str
    created_at: float
    status: Status = Status.QUEUED
    finished_at: float | None = None
    thread_id: str | None = None
    thread_account: str = ""
    workspace: _Place | None = None


async def session_owners(store: StoreReader) -> list[SessionOwner]:
    """Return all runs as owners of session files, oldest first; decoded in a thread."""
    owners = list[SessionOwner]()
    last = ""
    while rows := await store._read(_PAGE, (last, PAGE)):  # pyright: ignore[reportPrivateUsage]  a part of the store
        owners += await asyncio.to_thread(_owners, rows)
        last = rows[-1][2]
    return owners


def _owners(rows: Sequence[tuple[str, str, str]]) -> list[SessionOwner]:
    return [_owner(*row) for row in rows]


def _owner(spec: str, state: str, run_id: str) -> SessionOwner:
    try:
        request, run = json_decoder(_Spec)(spec), json_decoder(_State)(state)
    except (msgspec.DecodeError, UnicodeError, TypeError, RecursionError):
        # By a newer version, or damaged: as far as it can be read.
        return owner_of(codec.run_from(spec, state, run_id))
    place = run.workspace
    return SessionOwner(
        run_id,
        request.title,
        intern(request.project),
        run.status,
        run.created_at,
        run.finished_at,
        run.thread_id,
        run.thread_account,
        place.path if place and place.host == LOCAL else "",
        place is not None and place.kind is WorkspaceKind.IN_PLACE,
        request.fork.threads if request.fork else (),
    )
