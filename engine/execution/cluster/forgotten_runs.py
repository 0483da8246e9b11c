"""The runs that were forgotten while their node did not answer: it removes them once it is back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

import msgspec

from engine.config.locks import locked
from engine.config.paths import Paths, private_folder
from engine.system.decoding import json_decoder
from engine.system.durable import write_synced

NAME = "on-nodes.json"
WORKSPACES = "workspaces-on-nodes.json"


class ForgottenRuns:
    """The runs of a home that are still on a node; with `WORKSPACES`, workspaces there."""

    def __init__(self, paths: Paths, name: str = NAME) -> None:
        self._path = paths.forgotten / name

    async def of(self, node: str) -> tuple[str, ...]:
        """Return the runs that a node has to remove."""
        return self._read().get(node, ())

    async def add(self, node: str, runs: Iterable[str]) -> None:
        """Note runs that a node has to remove."""
        private_folder(self._path.parent)
        async with locked(self._path.with_suffix(".lock")):
            found = dict(self._read())
            found[node] = tuple(dict.fromkeys([*found.get(node, ()), *runs]))
            write_synced(self._path, msgspec.json.encode(found))

    async def remove(self, node: str, runs: Iterable[str]) -> None:
        """Note that a node has removed runs."""
        gone = frozenset(runs)
        if not self._path.exists():
            return
        async with locked(self._path.with_suffix(".lock")):
            found = dict(self._read())
            found[node] = tuple(run for run in found.get(node, ()) if run not in gone)
            write_synced(self._path, msgspec.json.encode(found))

    def _read(self) -> Mapping[str, tuple[str, ...]]:
        with suppress(OSError, msgspec.DecodeError):
            return json_decoder(dict[str, tuple[str, ...]])(self._path.read_bytes())
        return {}
