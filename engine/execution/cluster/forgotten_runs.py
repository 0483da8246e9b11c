"""The runs that were forgotten while their node did not answer: it removes them once it is back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

import msgspec

from engine.config.locks import locked, to_the_end
from engine.config.paths import Paths
from engine.system.decoding import json_decoder
from engine.system.durable import write_synced

NAME = "on-nodes.json"
WORKSPACES = "workspaces-on-nodes.json"
Runs = tuple[str, ...]
_log = logging.getLogger(__name__)


class ForgottenRuns:
    """The runs of a home that are still on a node; with `WORKSPACES`, workspaces there."""

    def __init__(self, paths: Paths, name: str = NAME) -> None:
        self._path = paths.forgotten / name

    async def of(self, node: str) -> Runs:
        """Return the runs that a node has to remove."""
        return (await asyncio.to_thread(self._read)).get(node, ())

    async def add(self, node: str, runs: Iterable[str]) -> None:
        """Note runs that a node has to remove."""
        await self._change(node, lambda known: tuple(dict.fromkeys([*known, *runs])))

    async def remove(self, node: str, runs: Iterable[str]) -> None:
        """Note that a node has removed runs."""
        gone = frozenset(runs)
        if gone.intersection(await self.of(node)):
            await self._change(node, lambda known: tuple(run for run in known if run not in gone))

    async def _change(self, node: str, change: Callable[[Runs], Runs]) -> None:
        def write() -> None:
            known = self._read()
            found = {**known, node: change(known.get(node, ()))}
            write_synced(self._path, msgspec.json.encode(found))

        async with locked(self._path.with_suffix(".lock")):
            await to_the_end(asyncio.to_thread(write))

    def _read(self) -> Mapping[str, Runs]:
        try:
            return json_decoder(dict[str, Runs])(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError, RecursionError) as error:
            _log.warning("what nodes have to remove is not known: %s: %s", self._path, error)
            return {}
