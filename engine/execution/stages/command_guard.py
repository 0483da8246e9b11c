"""A repository's commands run only with the files that the user trusted.

Commands run as the user, outside the sandbox, in a folder that the agent could write. So the files
that they can run are compared before each use with what was trusted, or with what the set-up made
before the agent started.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import cast

from engine.config.paths import Paths, private_folder
from engine.domain.errors import user_error
from engine.domain.model import Run, Workspace
from engine.domain.text import printable_name
from engine.execution.host_workspaces import HostWorkspaces
from engine.system.durable import write_synced
from engine.system.files import read_regular

NAMED = 3
RUN, VERIFY = "run", "verify"
"""Kinds of notes: the files that any of the commands can run, and those that the check can."""


class CommandGuard:
    """The guarded commands of one run, in its workspace."""

    def __init__(
        self, paths: Paths, workspaces: HostWorkspaces, run: Run, workspace: Workspace
    ) -> None:
        self._workspaces = workspaces
        self._spec = run.spec
        self._workspace = workspace
        name = PurePath(workspace.path).name
        self._note = paths.run(run.id) / f"programs-{name}.json"

    async def check_new(self) -> None:
        """Check a workspace that no agent has worked in; raises `UserError` SETUP_NOT_TRUSTED."""
        if names := await self._changed(self._commands()):
            raise user_error(
                "SETUP_NOT_TRUSTED",
                f"{names} is in the workspace not what you have trusted in the source.",
            )

    async def check_verify(self) -> None:
        """Check what the verify command can run; raises `UserError` VERIFY_NOT_TRUSTED."""
        command = self._spec.verify
        if not command or command not in self._spec.preparation.guarded:
            return
        now = await self._now([command])
        noted = await asyncio.to_thread(self._noted, VERIFY)
        gone = sorted(printable_name(path) for path in noted.keys() - now.keys())
        if gone:  # a check without its files may no longer fail
            raise user_error(
                "VERIFY_NOT_TRUSTED", f"The check was not run: {gone[0]}, which it names, is gone."
            )
        if names := await self._changed([command]):
            raise user_error(
                "VERIFY_NOT_TRUSTED",
                f"The check was not run: it could run {names}, which is not as you trusted it.",
            )

    async def note(self) -> None:
        """Note what the commands can run before the agent starts: the set-up may have made it."""
        commands = self._commands()
        if not commands:
            return
        verify = [each for each in commands if each == self._spec.verify]
        noted = {RUN: await self._now(commands), VERIFY: await self._now(verify)}
        await asyncio.to_thread(self._write, json.dumps(noted).encode())

    def _write(self, noted: bytes) -> None:
        private_folder(self._note.parent)
        write_synced(self._note, noted)

    def _commands(self) -> list[str]:
        """Return the commands of this run that a repository brought."""
        preparation = self._spec.preparation
        guarded = preparation.guarded
        if preparation.trusted and not guarded:  # a run of an earlier version names none
            guarded = preparation.setup
        return [each for each in (*preparation.setup, self._spec.verify) if each in guarded]

    async def _changed(self, commands: Sequence[str]) -> str:
        """Return the files that are not as they were, to show; empty where there are none."""
        if not commands:
            return ""
        trusted = self._spec.preparation.trusted
        noted = await asyncio.to_thread(self._noted, RUN)
        found = [
            printable_name(path)
            for path, digest in (await self._now(commands)).items()
            if digest not in (trusted.get(path), noted.get(path))
        ]
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        return f"{', '.join(found[:NAMED])}{more}"

    async def _now(self, commands: Sequence[str]) -> Mapping[str, str]:
        return await self._workspaces.program_files(self._workspace, self._spec.workspace, commands)

    def _noted(self, which: str) -> Mapping[str, str]:
        try:
            found = json.loads(read_regular(self._note))[which]
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
        ):  # there is none; and what cannot be read trusts nothing
            return {}
        return cast("dict[str, str]", found) if isinstance(found, dict) else {}
