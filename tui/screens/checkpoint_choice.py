"""The question which checkpoint of a run to compare with."""

from __future__ import annotations

from collections.abc import Callable

from tui import formatting
from tui.screens.live import LiveScreen
from tui.screens.pick import PickDialog
from tui.terminal.cells import clean
from tui.widgets.status.toast import app_of, attempt


async def choose_checkpoint(
    screen: LiveScreen, run_id: str, present: int, chosen: Callable[[int], None]
) -> None:
    """Ask for a checkpoint of a run, the present one first; `chosen` gets its number."""
    found = await attempt(app_of(screen), screen.engine.workspaces.checkpoints(run_id))
    if not found:
        return

    def answered(place: int | None) -> None:
        if place is not None:
            chosen(found[place].n)

    words = [f"{one.n:>4}  {formatting.time_of_day(one.at)}  {clean(one.message)}" for one in found]
    if not found[0].n:
        words[0] = "   0  all changes"
    place = next((n for n, one in enumerate(found) if one.n == present), 0)
    app_of(screen).push_screen(PickDialog("Changes since checkpoint …", words, place), answered)
