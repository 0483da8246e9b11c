"""The user's own editor and shell, to which the dashboard lends the terminal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from textual import on, work

from engine.system import programs
from tui.screens.live import EditRequested, LiveScreen
from tui.services.theming import Theming
from tui.terminal.handover_driver import HandoverDriver
from tui.widgets.status.toast import attempt

OWN_ONLY = "git works here with your own repository only: an agent can write the others."
NONE = "git refuses the repositories in this folder: an agent can write them."
LIFT = "To lift that here: unset GIT_TEST_ASSUME_DIFFERENT_OWNER"


class ExternalPrograms(Theming):
    """An app that opens what is looked at in other programs."""

    @property
    def live_screen(self) -> LiveScreen | None:
        """The screen of the current mode, below whatever dialog is open."""
        screen = self.screen_stack[0]
        return screen if isinstance(screen, LiveScreen) else None

    @work(group="program", exclusive=True)
    async def action_editor(self) -> None:
        """Open the file, or where there is none the workspace, in the user's editor."""
        if subject := self.subject:
            await attempt(self, self._edit(*subject))

    async def _edit(self, run_id: str, path: str | None) -> None:
        place = await self.engine.workspaces.place(run_id, path or "")
        guard = await self.engine.workspaces.shell_guard(run_id)
        folder = place if not path else place.parent
        base = await self.engine.workspaces.environment(run_id)
        words = [*programs.editor(), str(place)]
        await self._lend(words, folder, guard.environment, base=base)

    @on(EditRequested)
    def _edit_wanted(self, wanted: EditRequested) -> None:
        """Open a file of the user's own in their editor."""
        self.run_worker(attempt(self, self._edit_own(wanted)), group="program", exclusive=True)

    async def _edit_own(self, wanted: EditRequested) -> None:
        await self._lend([*programs.editor(), str(wanted.path)], wanted.path.parent)
        if wanted.then:
            await wanted.then()

    @work(group="program", exclusive=True)
    async def action_shell(self) -> None:
        """Open a shell in the workspace."""
        if subject := self.subject:
            await attempt(self, self._open_shell(subject[0]))

    async def _open_shell(self, run_id: str) -> None:
        place = await self.engine.workspaces.working_folder(run_id)
        guard = await self.engine.workspaces.shell_guard(run_id)
        first = OWN_ONLY if guard.own else NONE
        base = await self.engine.workspaces.environment(run_id)
        first = f"swarm-tui: {first} {LIFT}"
        await self._lend(programs.shell(), place, guard.environment, first, base)

    def copy_to_clipboard(self, text: str) -> None:
        """Copy a text, where there is tmux by way of it."""
        super().copy_to_clipboard(text)
        if not self.is_web:
            self.run_worker(programs.copy_in_tmux(text), group="copy", exclusive=True)

    async def _lend(
        self,
        words: Sequence[str],
        folder: Path,
        more: Mapping[str, str] | None = None,
        first: str = "",
        base: Mapping[str, str] | None = None,
    ) -> None:
        """Lend the terminal to a program, below a `first` line; runs go on, nothing is painted."""
        with self.suspend(), self.batch_update():
            if first and sys.__stdout__:
                sys.__stdout__.write(f"{first}\n")
                sys.__stdout__.flush()
            await programs.lend_terminal(words, folder, more, base)

    def stop_process(self) -> None:
        """Give the terminal back, and stop this process until somebody continues it."""
        if isinstance(self._driver, HandoverDriver):
            self._driver.stop_process()
            self.refresh(layout=True)  # the screen was given back
        else:
            os.kill(os.getpid(), signal.SIGSTOP)

    @property
    def subject(self) -> tuple[str, str | None] | None:
        """The run that is looked at, and the file, if it is one."""
        return self.live_screen.subject if self.live_screen else None
