"""Runs cancelled from the list: the questions before it, also about the runs below them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from engine.domain.activity import Steps
from engine.domain.children import descendants
from engine.domain.lifecycle import CANCELLABLE
from engine.domain.model import Run, Status
from engine.domain.queue import dependents
from tui.formatting import questions
from tui.screens.confirm import ConfirmChoice, ConfirmDialog
from tui.screens.live import LiveScreen, works_of
from tui.widgets.status.toast import app_of, attempt, tell

ALONE, FAMILY = "alone", "family"


def cancel_runs(
    screen: LiveScreen, runs: Sequence[Run], unmark: Callable[[], None], *, kill: bool = False
) -> None:
    """Cancel runs. Ask first if there are several, if others wait for them, or before a kill.

    Where runs that they started have not ended, ask whether these are cancelled, too.
    """
    if not runs:
        return
    view = screen.engine.view
    ids = [run.id for run in runs]
    waiting = dependents(view, ids)
    live = [view.runs[one] for one in sorted(view.live)]
    below = [run for run in descendants(live, ids) if run.status in CANCELLABLE]
    below = [run for run in below if run.id not in ids]

    def act(answer: str | None) -> None:
        if answer is not None:
            unmark()
            cancel_now(screen, ids, kill=kill, children=answer == FAMILY)

    if not (kill or below or waiting or len(runs) > 1):
        act(ALONE)
        return
    question = questions.cancel(runs, waiting, kill=kill, below=below)
    choices = [ConfirmChoice(ALONE, "X" if kill else "x", _label(runs, kill), is_danger=True)]
    if below:
        label = f"Also {questions.counted(len(below), 'run')} below"
        choices.append(ConfirmChoice(FAMILY, "c", label, is_danger=True))
    app_of(screen).push_screen(ConfirmDialog(question, choices), act)


def cancel_now(
    screen: LiveScreen, ids: Sequence[str], *, kill: bool = False, children: bool = False
) -> None:
    """Cancel runs in the background, those that wait first, so that none of them starts."""
    work = partial(_cancel, screen, ids, kill=kill, children=children)
    screen.run_worker(work, group="ask")


def _label(runs: Sequence[Run], kill: bool) -> str:
    if kill:
        return "Kill now"
    return "Cancel it" if len(runs) == 1 else f"Cancel {len(runs)} runs"


async def _cancel(screen: LiveScreen, ids: Sequence[str], *, kill: bool, children: bool) -> None:
    engine, app = screen.engine, app_of(screen)
    if len(ids) == 1 and not children:
        await attempt(app, engine.cancel(ids[0], kill=kill))  # it reports why it could not be
        return
    known = engine.view.runs
    waiting = {one for one in ids if one in known and known[one].status is Status.QUEUED}
    order = sorted(ids, key=lambda one: one not in waiting)  # so that none of them starts
    with works_of(screen).going("killing" if kill else "cancelling", len(ids)) as work:
        done = await attempt(
            app,
            engine.cancel_all(
                order, kill=kill, children=children, work=Steps(work.tell, work.stopping)
            ),
        )
    if done is not None and work.is_stopped and len(done) < len(ids):
        left = len(ids) - len(done)
        tell(app, f"Stopped: {len(done)} cancelled, {left} left as they were.", is_warning=True)
