"""Ended runs at rest: the values that lists need as they are, all else as compressed text.

A run takes 7 to 25 kB as objects, and a home may have had 50,000. At rest it takes less than one
kilobyte. It reads like any other run: what it does not hold is decoded when it is asked for, and
the last few that were decoded are kept. It is never changed; a fold begins with a copy, which is
whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from functools import lru_cache
from sys import intern
from typing import Any, ClassVar, cast

import msgspec

from engine.domain.base_update import WorkspaceUpdated
from engine.domain.lifecycle import FINISHED
from engine.domain.model import (
    LOCAL,
    Agent,
    ChangeCount,
    ForkOrigin,
    Run,
    RunSpec,
    Status,
    WorkspaceKind,
)
from engine.domain.numeric import bounded_count
from engine.domain.pull_request import PullRequestSeen
from engine.domain.push import BranchPushed
from engine.domain.spend import SpendFlag
from engine.store import codec
from engine.system.decoding import json_decoder

RunRow = tuple[str, str, str]
"""The spec and the state of a run as they are stored, and its id."""
PACKED = 64
"""Runs that are compressed together: what they have in common is stored once."""
PACKED_BYTES = 256_000
"""Text after which no more runs are added to a pack: one is decompressed at a time."""
UNPACKED = 4
"""Packs of which the text is kept for a moment: neighbours are often asked for together."""
WHOLE = 256
"""Decoded runs that are kept: those in view, and those looked at last."""
_LEVEL = 1
_USUAL = RunSpec("", "", "")


class RunPack:
    """Specs and states of some runs, compressed; both are lists of JSON, a line each."""

    __slots__ = ("specs", "states")

    def __init__(self, rows: Sequence[RunRow]) -> None:
        self.specs = _compressed(row[0] for row in rows)
        self.states = _compressed(row[1] for row in rows)


class _Applied(msgspec.Struct, gc=False, frozen=True):
    checkpoint: int


class _Usage(msgspec.Struct, gc=False, frozen=True):
    input: int = 0
    output: int = 0


class _Place(msgspec.Struct, gc=False, frozen=True):
    kind: WorkspaceKind
    host: str = LOCAL


class _Wish(msgspec.Struct, gc=False, frozen=True):
    host: str = LOCAL


class _Spec(msgspec.Struct, gc=False):
    """The part of a stored spec that lists need, with the types of `RunSpec`."""

    prompt: str
    title: str
    project: str
    agent: Agent = _USUAL.agent
    workspace: _Wish = _Wish()
    model: str | None = None
    account: str | None = None
    template: str | None = None
    batch: str | None = None
    fork: ForkOrigin | None = None
    parent: str | None = None
    ancestors: tuple[str, ...] = ()


class _State(msgspec.Struct, gc=False):
    """The part of a stored state that lists need, with the types of `Run`."""

    id: str
    created_at: float
    status: Status = Status.QUEUED
    seq: int = 0
    attempt: int = 1
    started_at: float | None = None
    finished_at: float | None = None
    skipped_s: float = 0.0
    last_event_at: float = 0.0
    percent: int = 0
    checkpoint: int | None = None
    baseline: bool | None = None
    uncheckpointed: bool = False
    store_lost: bool = False
    usage: _Usage = _Usage()
    model: str = ""
    changes: ChangeCount = ChangeCount()
    applied: _Applied | None = None
    workspace: _Place | None = None
    in_trash: bool = False
    is_rejected: bool = False
    limits: msgspec.Raw = msgspec.Raw(b"[]")
    tags: tuple[str, ...] = ()
    is_dismissed: bool = False
    is_archived: bool = False
    pushed: BranchPushed | None = None
    pull_request: PullRequestSeen | None = None
    updated: WorkspaceUpdated | None = None
    account: str = ""
    host: str = ""
    requested_host: str = ""
    spend_flag: SpendFlag | None = None


class SpecAtRest(msgspec.Struct, gc=False, eq=False):
    """The request of a run at rest, read like a `RunSpec`."""

    __dataclass_fields__: ClassVar[Any] = RunSpec.__dataclass_fields__
    title: str
    project: str
    agent: Agent
    model: str | None
    account: str | None
    template: str | None
    batch: str | None
    fork: ForkOrigin | None
    parent: str | None
    ancestors: tuple[str, ...]
    pack: RunPack
    place: int

    @property
    def __class__(self) -> type[RunSpec]:  # pyright: ignore[reportIncompatibleMethodOverride]  `replace` makes whole ones
        return RunSpec

    @property
    def prompt(self) -> str:
        """The prompt; those of a whole pack are read at once, for a search in all of them."""
        return _prompts(self.pack)[self.place]

    @property
    def searched_prompt(self) -> str:
        """The prompt in small letters."""
        return _searched(self.pack)[self.place]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  the value of any field
        return getattr(_whole(self.pack, self.place).spec, name)

    def __copy__(self) -> RunSpec:
        return _whole(self.pack, self.place).spec

    def __eq__(self, other: object) -> bool:
        return _whole(self.pack, self.place).spec == other


class RunAtRest(msgspec.Struct, gc=False, eq=False):
    """A run at rest, read like a `Run`."""

    __dataclass_fields__: ClassVar[Any] = Run.__dataclass_fields__
    id: str
    spec: SpecAtRest
    created_at: float
    status: Status
    seq: int
    attempt: int
    started_at: float | None
    finished_at: float | None
    skipped_s: float
    last_event_at: float
    percent: int
    checkpoint: int | None
    uncheckpointed: bool
    has_unknown_changes: bool
    is_applied: bool
    is_in_place: bool
    used_tokens: int
    model: str
    changes: ChangeCount
    in_trash: bool
    is_rejected: bool
    has_limits: bool
    tags: tuple[str, ...]
    is_dismissed: bool
    is_archived: bool
    pushed: BranchPushed | None
    pull_request: PullRequestSeen | None
    updated: WorkspaceUpdated | None
    account: str
    machine: str
    spend_flag: SpendFlag | None
    overlaps: int = 0

    @property
    def __class__(self) -> type[Run]:  # pyright: ignore[reportIncompatibleMethodOverride]  `replace` makes whole ones
        return Run

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  the value of any field
        return getattr(_whole(self.spec.pack, self.spec.place), name)

    def __copy__(self) -> Run:
        run = copy(_whole(self.spec.pack, self.spec.place))
        run.overlaps = self.overlaps
        return run

    def __eq__(self, other: object) -> bool:
        return copy(self) == other


def is_at_rest(one: object) -> bool:
    """Return whether a run, or its spec, is at rest: no other code should have to ask."""
    return type(one) in (RunAtRest, SpecAtRest)


def at_rest(rows: Sequence[RunRow]) -> list[Run]:
    """Return the runs of rows, in order: those that ended at rest, all others whole."""
    read = [_read(row) for row in rows]
    whole = iter(codec.runs_from([row for row, one in zip(rows, read, strict=True) if not one]))
    found = [(row, *one) for row, one in zip(rows, read, strict=True) if one]
    resting = (run for part in _parts(found) for run in _packed(part))
    return [next(resting if one else whole) for one in read]


def put_to_rest(runs: Sequence[Run]) -> list[Run]:
    """Return the same runs, those that ended at rest."""
    specs = [copy(run.spec) if is_at_rest(run.spec) else run.spec for run in runs]
    rows = [
        (codec.spec_text(spec), codec.state_text(run), run.id)
        for spec, run in zip(specs, runs, strict=True)
    ]
    resting = at_rest(rows)
    for run, one in zip(runs, resting, strict=True):
        one.overlaps = run.overlaps
    return resting


_Light = tuple[_Spec, _State]
_Found = tuple[RunRow, _Spec, _State]


def _read(row: RunRow) -> _Light | None:
    """Return what lists need of a run; None for one that has to be whole.

    It is live, or something of it cannot be read: `codec.run_from` knows what to do then.
    """
    spec, state, run_id = row
    try:
        light = json_decoder(_Spec)(spec), json_decoder(_State)(state)
        is_plain = light[1].id == run_id and "\n" not in spec and "\n" not in state
    except (msgspec.DecodeError, UnicodeError, TypeError, RecursionError):
        return None
    return light if is_plain and light[1].status in FINISHED else None


def _parts(found: Sequence[_Found]) -> Iterator[list[_Found]]:
    """Return the runs in parts that are compressed together."""
    part, size = list[_Found](), 0
    for one in found:
        part.append(one)
        size += len(one[0][0]) + len(one[0][1])
        if len(part) == PACKED or size > PACKED_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _packed(part: Sequence[_Found]) -> Iterator[Run]:
    pack = RunPack([row for row, _, _ in part])
    for place, (_, spec, state) in enumerate(part):
        # Read like a run, whatever class it is of.
        yield cast("Run", _resting(_spec(spec, pack, place), spec.workspace.host, state))


def _spec(spec: _Spec, pack: RunPack, place: int) -> SpecAtRest:
    return SpecAtRest(
        spec.title,
        intern(spec.project),
        spec.agent,
        spec.model and intern(spec.model),
        spec.account and intern(spec.account),
        spec.template and intern(spec.template),
        spec.batch and intern(spec.batch),
        spec.fork,
        spec.parent,
        spec.ancestors,
        pack,
        place,
    )


def _resting(spec: SpecAtRest, wished_host: str, run: _State) -> RunAtRest:
    place = run.workspace
    has_unknown_changes = run.baseline is False or run.store_lost
    is_known = not (run.uncheckpointed or has_unknown_changes)
    is_applied = run.applied is not None and run.applied.checkpoint == run.checkpoint
    machine = run.host or (place.host if place else "") or run.requested_host or wished_host
    return RunAtRest(
        run.id,
        spec,
        run.created_at,
        run.status,
        run.seq,
        run.attempt,
        run.created_at if run.started_at == run.created_at else run.started_at,
        run.last_event_at if run.finished_at == run.last_event_at else run.finished_at,
        run.skipped_s or 0.0,
        run.last_event_at,
        run.percent,
        run.checkpoint,
        run.uncheckpointed,
        has_unknown_changes,
        is_known and is_applied,
        place is not None and place.kind is WorkspaceKind.IN_PLACE,
        bounded_count(run.usage.input) + bounded_count(run.usage.output),
        intern(run.model),
        run.changes,
        run.in_trash,
        run.is_rejected,
        bytes(run.limits) != b"[]",
        run.tags,
        run.is_dismissed,
        run.is_archived,
        run.pushed,
        run.pull_request,
        run.updated,
        intern(run.account),
        intern(machine),
        run.spend_flag,
    )


class _Prompt(msgspec.Struct, gc=False):
    prompt: str


@lru_cache(UNPACKED)
def _specs(pack: RunPack) -> list[str]:
    return zlib.decompress(pack.specs).decode().split("\n")


@lru_cache(UNPACKED)
def _states(pack: RunPack) -> list[str]:
    return zlib.decompress(pack.states).decode().split("\n")


@lru_cache(UNPACKED)
def _prompts(pack: RunPack) -> list[str]:
    decode = json_decoder(_Prompt)
    return [decode(spec).prompt for spec in zlib.decompress(pack.specs).split(b"\n")]


@lru_cache(UNPACKED)
def _searched(pack: RunPack) -> list[str]:
    return [prompt.lower() for prompt in _prompts(pack)]


@lru_cache(WHOLE)
def _whole(pack: RunPack, place: int) -> Run:
    return codec.run_from(_specs(pack)[place], _states(pack)[place], is_one_of_many=True)


def _compressed(texts: Iterable[str]) -> bytes:
    return zlib.compress("\n".join(texts).encode(), _LEVEL)
