"""The user's own editor and shell, to which the dashboard lends the terminal."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from engine.domain.errors import os_failure
from engine.system import programs
from tui.screens.live import EditRequested
from tui.widgets.status.toast import attempt, tell

if TYPE_CHECKING:
    from tui.app import SwarmApp

OWN_ONLY = "git works here with your own repository only: an agent can write the others."
NONE = "git refuses the repositories in this folder: an agent can write them."
OPENED_IN = (
    ("editor", "o", "editor"),
    ("shell", "exclamation_mark", "shell"),
    ("codex", "c", "Codex, in its thread"),
)
"""The programs in which a run can be opened: the answer, the key and the text of each choice."""
LIFT = "To lift that here: unset GIT_TEST_ASSUME_DIFFERENT_OWNER"


class ExternalPrograms:
    """Programs that open the run or file the app shows, one at a time."""

    def __init__(self, app: SwarmApp) -> None:
        self._app = app
        self._engine = app.engine

    def open(self) -> None:
        """Open the file that is shown in the user's editor; of a run, ask in which program."""
        if (subject := self._app.subject) is None:
            return
        run_id, path = subject
        if path:
            self._start(self._edit(run_id, path))
        else:
            self._ask(run_id)

    def _ask(self, run_id: str) -> None:
        from tui.screens.confirm import ConfirmChoice, ConfirmDialog

        works = {"editor": self._edit, "shell": self._open_shell, "codex": self._open_thread}

        def answered(answer: str | None) -> None:
            if answer:
                self._start(works[answer](run_id))

        choices = [ConfirmChoice(*choice) for choice in OPENED_IN]
        dialog = ConfirmDialog("Open the run in", choices, keep="Back", default="editor")
        self._app.push_screen(dialog, answered)

    def open_thread(self) -> None:
        """Open the thread of the run that is shown in interactive Codex."""
        if subject := self._app.subject:
            self._start(self._open_thread(subject[0]))

    def edit_own(self, wanted: EditRequested) -> None:
        """Open a file of the user's own in their editor."""
        self._start(self._edit_own(wanted))

    def edit_settings(self) -> None:
        """Open the settings file in the user's editor; where it is missing, its folder is made."""
        self._start(self._edit_settings(self._engine.paths.config))

    async def _edit_settings(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise os_failure(error) from error
        await self._edit_own(EditRequested(path))
        tell(self._app, "Changed settings apply after a restart.")

    def open_shell(self) -> None:
        """Open a shell in the workspace of the run that is shown."""
        if subject := self._app.subject:
            self._start(self._open_shell(subject[0]))

    def copy(self, text: str) -> None:
        """Copy a text by way of tmux too, where it runs."""
        self._app.run_worker(programs.copy_in_tmux(text), group="copy", exclusive=True)

    def _start(self, work: Awaitable[None]) -> None:
        self._app.run_worker(attempt(self._app, work), group="program", exclusive=True)

    async def _edit(self, run_id: str, path: str | None = None) -> None:
        await self._check(run_id, "OPEN_FOLDER")
        place = await self._engine.workspaces.place(run_id, path or "")
        guard = await self._engine.workspaces.shell_guard(run_id)
        folder = place if not path else place.parent
        base = await self._engine.workspaces.environment(run_id)
        words = [*programs.editor(), str(place)]
        await self._lend(words, folder, guard.environment, base=base)

    async def _check(self, run_id: str, feature: Literal["OPEN_FOLDER", "OPEN_SHELL"]) -> None:
        """Raise `UserError` where the run's files are on another machine."""
        from engine.domain.host_features import HostFeature, check_feature

        run = await self._engine.find(run_id)
        if run.workspace:
            check_feature(run.workspace.host, HostFeature[feature])

    async def _edit_own(self, wanted: EditRequested) -> None:
        await self._lend([*programs.editor(), str(wanted.path)], wanted.path.parent)
        if wanted.then:
            await wanted.then()

    async def _open_shell(self, run_id: str) -> None:
        await self._check(run_id, "OPEN_SHELL")
        place = await self._engine.workspaces.working_folder(run_id)
        guard = await self._engine.workspaces.shell_guard(run_id)
        first = OWN_ONLY if guard.own else NONE
        base = await self._engine.workspaces.environment(run_id)
        first = f"swarm-tui: {first} {LIFT}"
        await self._lend(programs.shell(), place, guard.environment, first, base)

    async def _open_thread(self, run_id: str) -> None:
        async with self._engine.threads.open(run_id) as program:
            code = await self._lend(program.argv, program.folder, program.env, base=program.base)
        failed = f"Codex ended with exit code {code}. " if code else ""
        tell(
            self._app,
            f"{failed}The changes of the thread are recorded.",
            is_warning=bool(code),
        )

    async def _lend(
        self,
        words: Sequence[str],
        folder: Path,
        more: Mapping[str, str] | None = None,
        first: str = "",
        base: Mapping[str, str] | None = None,
    ) -> int:
        """Lend the terminal to a program, below a `first` line, and return its exit code.

        Runs go on; nothing is painted.
        """
        with self._app.suspend(), self._app.batch_update():
            if first and sys.__stdout__:
                sys.__stdout__.write(f"{first}\n")
                sys.__stdout__.flush()
            return await programs.lend_terminal(words, folder, more, base)
