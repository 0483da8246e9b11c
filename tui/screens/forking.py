"""Forks of runs from a screen: a dialog for the prompt, then a new run."""

from __future__ import annotations

from engine.domain.model import Run
from tui import formatting
from tui.screens.live import LiveScreen
from tui.screens.mode_option import mode_option
from tui.screens.write import WriteDialog, WriteRequest
from tui.terminal.cells import crop
from tui.widgets.status.toast import app_of, tell

TITLE = 60
"""Cells of a run's title in the heading."""


def fork_run(screen: LiveScreen, run: Run) -> None:
    """Ask for the prompt of a fork, and start it."""
    made: list[Run] = []
    thread = "its thread" if run.thread_id else "a new thread: this run has none"

    async def fork(prompt: str) -> None:
        made.append(await screen.engine.forks.fork(run.id, prompt, wanted.change))

    def answered(prompt: str | None) -> None:
        if prompt is not None and made:
            screen.expect(made[-1].id)
            tell(app_of(screen), f"Forked: {crop(formatting.title(made[-1]), TITLE)}")

    heading = f"Fork · {crop(formatting.title(run), TITLE)}"
    hint = f"A new run in a copy of the workspace and {thread}. This run stays as it is."
    wanted = WriteRequest(heading, "", hint, "Fork", fork, mode=mode_option([run]))
    app_of(screen).push_screen(WriteDialog(wanted), answered)
