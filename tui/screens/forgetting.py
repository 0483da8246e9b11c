"""Runs forgotten from a screen, after a question that names the effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from engine.domain.model import Run
from tui import formatting
from tui.screens.confirm import ConfirmChoice, confirm
from tui.screens.live import LiveScreen, works_of
from tui.terminal.cells import clean, crop
from tui.widgets.status.toast import app_of, attempt, tell

if TYPE_CHECKING:
    from engine.engine import ForgetPlan

TITLE = 60
"""Cells of a run's title in a question."""
STOPPED = "Stopped: no run was forgotten."
SHOWN = 10
"""Unsaved workspaces that a question lists."""


def forget_runs(screen: LiveScreen, runs: Sequence[Run], done: Callable[[], object]) -> None:
    """Ask, then forget runs, all or none; `done` is called when they are gone."""
    if runs:
        ids, name = [run.id for run in runs], _name(runs)
        screen.run_worker(partial(_ask, screen, ids, name, done), group="forget")


async def _ask(
    screen: LiveScreen, ids: Sequence[str], name: str, done: Callable[[], object]
) -> None:
    with works_of(screen).going("looking for work that is nowhere else") as work:
        planned = await work.unless_stopped(
            attempt(app_of(screen), screen.engine.forgetting.plan(ids, work.tell)),
            lambda: tell(app_of(screen), STOPPED, is_warning=True),
        )
    if planned is None:
        return
    label = "Forget anyway; the trash keeps the work" if planned.unsaved else "Forget"
    details = [clean(line) for line in planned.unsaved[:SHOWN]]
    if len(planned.unsaved) > SHOWN:
        details.append(f"… {len(planned.unsaved) - SHOWN} more")
    choice = ConfirmChoice("forget", "f", label, is_danger=True)

    async def forget() -> None:
        with works_of(screen).going("forgetting", len(ids)) as work:
            wanted = screen.engine.forgetting.forget(
                ids,
                including_unsaved=bool(planned.unsaved),
                told=work.tell_of,
                stop=work.stopping,
            )
            gone = await attempt(app_of(screen), wanted)
        if gone:
            tell(app_of(screen), f"{name} forgotten.")
            done()
        elif gone is not None:
            tell(app_of(screen), STOPPED, is_warning=True)

    confirm(
        app_of(screen),
        question(name, planned),
        choice,
        lambda: screen.run_worker(forget, group="forget"),
        details=details,
    )


def question(name: str, planned: ForgetPlan) -> str:
    """Return the question before runs are forgotten."""
    count = planned.workspaces
    its = "The workspace goes" if count == 1 else f"{count} workspaces go"
    trash = f" {its} to the trash." if count else ""
    return f"Forget {name}, with log, files and comments? This cannot be undone.{trash}"


def _name(runs: Sequence[Run]) -> str:
    one = f"“{crop(formatting.title(runs[0]), TITLE)}”"
    return one if len(runs) == 1 else f"{len(runs)} runs"
