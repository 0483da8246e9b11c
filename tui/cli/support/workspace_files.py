"""Files of a run: entries of its workspace, and the files it saved beside it, as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from engine.domain.events import ArtifactSaved

if TYPE_CHECKING:
    from engine.engine import TreeEntry
    from engine.ports.engine import EnginePort


def entries_json(entries: Iterable[TreeEntry]) -> list[dict[str, Any]]:
    """Return entries of a folder as `files --json` prints them."""
    return [entry._asdict() for entry in entries]


async def saved_files(engine: EnginePort, name: str) -> dict[str, int]:
    """Return the paths of the files that a run saved, each with its size in bytes."""
    run = await engine.find(name)
    events = await engine.events(run.id)
    return {e.body.path: e.body.bytes for e in events if isinstance(e.body, ArtifactSaved)}


async def artifacts_json(engine: EnginePort, name: str) -> list[dict[str, Any]]:
    """Return the files that a run saved as `artifacts --json` prints them."""
    folder = engine.paths.run((await engine.find(name)).id)
    saved = await saved_files(engine, name)
    return [{"path": str(folder / path), "bytes": count} for path, count in saved.items()]
