"""The checkpoints of a store: refs of its git, and what was asked about them once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine.domain.errors import user_error
from engine.domain.model import BASELINE
from engine.system.decoding import msgpack_decoder
from engine.workspaces.git.git import Git

__all__ = ["BASELINE", "REFS", "Checkpoint", "CheckpointRefs", "has_baseline", "known_points"]

REFS = "refs/swarm/checkpoints"
_KNOWN = "swarm-points"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A remembered state: its number, its commit in the run's own store, when and why."""

    n: int
    sha: str
    tree: str
    message: str = ""
    at: float = 0.0
    left_out: tuple[str, ...] = ()
    """Files that count but could not be read: too large, not permitted, changing all the time."""
    rebuildable: tuple[str, ...] = ()
    """Folders that are not part of it, because they can be made again."""
    baseline: str = ""
    """The commit of the baseline that its changes are measured against; empty: the first one."""

    @property
    def ref(self) -> str:
        """The ref that keeps it."""
        return f"{REFS}/{self.n}"


class CheckpointRefs:
    """The checkpoints of one store. Others may come, but each stays what it is."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._known: dict[int, Checkpoint] = {}

    async def list(self) -> list[Checkpoint]:
        """Return all there are now, in order."""
        fields = (
            "%(refname) %(objectname) %(tree) %(committerdate:unix) %(parent) %(contents:subject)"
        )
        out = await self._git.run("for-each-ref", f"--format={fields}", f"{REFS}/")
        found: list[Checkpoint] = []
        for line in out.decode("utf-8", "replace").splitlines():
            ref, sha, tree, at, baseline, message = line.split(" ", 5)
            n = int(ref.rpartition("/")[2])
            found.append(Checkpoint(n, sha, tree, message, float(at), baseline=baseline))
        return sorted(found, key=lambda one: one.n)

    async def point(self, n: int) -> Checkpoint:
        """Return one of them; raises `UserError` INPUT_INVALID for an unknown number.

        git is asked only for those that were not looked up before.
        """
        path = self._git.git_dir / _KNOWN
        if n not in self._known:
            self._known |= await asyncio.to_thread(known_points, self._git.git_dir)
        if n not in self._known:
            self._known |= {one.n: one for one in await self.list()}
            await asyncio.to_thread(_save, path, self._known)
        if n not in self._known:
            raise user_error("INPUT_INVALID", f"The run has no checkpoint {n}.")
        return self._known[n]

    async def add(self, point: Checkpoint) -> None:
        """Add a commit as the next of them; raises `UserError` where it is not the next."""
        await self._git.run("update-ref", point.ref, point.sha, "0" * len(point.sha))


def has_baseline(git_dir: Path) -> bool:
    """Return whether a store is whole as far as its files show: a `HEAD`, and a baseline."""
    try:
        if not (git_dir / "objects").is_dir():
            return False
        if not (git_dir / "HEAD").read_bytes().startswith(b"ref: "):
            return False
        return _is_object_id(_baseline_of(git_dir))
    except OSError:
        return False


def _baseline_of(git_dir: Path) -> bytes:
    ref = f"{REFS}/{BASELINE}"
    try:
        return (git_dir / ref).read_bytes()
    except FileNotFoundError:
        lines = (git_dir / "packed-refs").read_bytes().splitlines()
    return next((line[: -len(ref)] for line in lines if line.endswith(b" " + ref.encode())), b"")


def _is_object_id(text: bytes) -> bool:
    try:
        return len(bytes.fromhex(text.decode("ascii").strip())) in (20, 32)
    except ValueError:
        return False


def known_points(git_dir: Path) -> dict[int, Checkpoint]:
    """Return the checkpoints that were asked for before."""
    try:
        path = git_dir / _KNOWN
        return msgpack_decoder(dict[int, Checkpoint])(path.read_bytes())
    except (OSError, msgspec.DecodeError, RecursionError):  # git knows them
        return {}


def _save(path: Path, points: dict[int, Checkpoint]) -> None:
    part = path.with_suffix(".part")
    try:
        part.write_bytes(msgspec.msgpack.encode(points))
        part.rename(path)
    except OSError:  # a full disk, or another was quicker: the next one asks git
        part.unlink(missing_ok=True)
