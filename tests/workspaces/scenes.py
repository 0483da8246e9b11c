"""A run's workspace of any kind with its baseline, and what is asked of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.domain.errors import UserError
from engine.domain.model import Workspace, WorkspaceKind, WorkspaceSpec
from engine.workspaces.apply.apply import ApplyMode, ApplyRequest, ApplyResult, apply, check
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import create


@dataclass
class Scene:
    """A source, and a run's workspace made from it with a baseline."""

    source: Path
    root: Path
    run: Checkpoints
    home: Path
    branch: str | None
    notices: tuple[str, ...] = ()
    workspace: Workspace | None = None

    def wish(self, how: ApplyMode, to: Path | None = None) -> ApplyRequest:
        """The wish to apply the changes to the source."""
        return ApplyRequest(to or self.source, how, self.branch, "The agent's words")

    async def apply(self, how: ApplyMode = ApplyMode.EDITS) -> ApplyResult:
        """Apply after a check that found the same."""
        checked = await check(self.run, self.wish(how), self.home)
        done = await apply(self.run, self.wish(how), self.home)
        assert (checked.files, checked.clashes) == (done.files, ())
        return done

    async def refused(self, how: ApplyMode) -> UserError:
        """Return the error of an apply that is refused; the check finds the same."""
        assert not (await check(self.run, self.wish(how), self.home)).fits
        with pytest.raises(UserError) as raised:
            await apply(self.run, self.wish(how), self.home)
        return raised.value

    async def changed(self) -> list[str]:
        """Return the paths that differ from the baseline."""
        return [file.path for file in (await self.run.changes()).files]


async def scene(source: Path, home: Path, kind: str = "worktree", **how: bool) -> Scene:
    """Make a workspace of this kind, and take its baseline."""
    spec = WorkspaceSpec(WorkspaceKind(kind), str(source), **how)
    target = home / "workspaces" / "p" / "r1"
    made = await asyncio.to_thread(create.make, spec, target, home, lambda: False)
    run = await Checkpoints.make(home / "runs" / "r1" / "checkpoints.git", made.workspace)
    await run.record("baseline")
    root = Path(made.workspace.path)
    return Scene(source, root, run, home, made.workspace.branch, made.notices, made.workspace)
