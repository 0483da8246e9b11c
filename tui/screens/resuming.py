"""Resuming of runs with a message, and with the comments on their changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.domain import comments

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.ports.engine import EnginePort
    from tui.screens.write import WriteRequest


async def resume_with(engine: EnginePort, run: str, text: str, wanted: WriteRequest) -> Run:
    """Continue a run's thread with a message; where chosen, its open comments follow that."""
    known = engine.view.runs.get(run)
    if wanted.option.suffices and known and comments.open_comments(known):
        return await engine.comments.send(run, text, wanted.change)
    return await engine.resume(run, text, wanted.change)
