"""A run with a real workspace and a real git beside it, on an engine that runs nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from fake_engine import FakeEngine, S

from engine.config.paths import Paths
from engine.domain.events import Body, Progressed
from engine.domain.model import Run, Stage, Workspace, WorkspaceKind
from engine.execution.local.workspaces import LocalWorkspaces
from engine.workspaces.checkpoints.checkpoint_refs import has_baseline
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.service import Workspaces
from tui.app import SwarmApp

RUN = "a1"
Files = dict[str, str | bytes | None]


async def _no_message(run: Run, limit_bytes: int) -> bytes:
    return b""


class Changed:
    """One run; `root` is its workspace."""

    def __init__(self, folder: Path, *, interactive: bool = False) -> None:
        self.root = folder / "workspace"
        self.root.mkdir(parents=True)
        self._paths = Paths(folder / "home", folder / "config.yaml")
        self._paths.prepare()
        self._stores = LocalWorkspaces(self._paths)
        self.engine = FakeEngine()
        self.engine.add(RUN, "Greet them all", interactive=interactive)
        self.engine.pass_through(RUN, S.PREPARING)
        details = {"path": str(self.root), "kind": "empty"}
        self.engine.happen(RUN, Progressed(Stage.WORKSPACE_CLONED, "ready", 20.0, details))
        self.engine.pass_through(RUN, S.RUNNING)
        self.engine.workspaces = cast(
            Any,
            Workspaces(self._paths, self._find, self._tell, _no_message, lambda _: self._stores),
        )

    async def _find(self, run: str) -> Run:
        return self.engine.view.runs[run]

    async def _tell(self, run: str, decide: Callable[[Run], Sequence[Body]]) -> Run:
        self.engine.happen(run, *decide(self.engine.view.runs[run]))
        return self.engine.view.runs[run]

    def write(self, files: Files) -> None:
        """Write these files; None removes one."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)

    async def remember(self, message: str = "baseline") -> None:
        """Take a checkpoint."""
        workspace = Workspace(str(self.root), WorkspaceKind.EMPTY)
        folder = self._paths.checkpoints(RUN, str(self.root))
        how = Checkpoints.open if has_baseline(folder) else Checkpoints.make
        store = await how(folder, workspace)
        await store.record(message)

    @property
    def app(self) -> SwarmApp:
        """The dashboard."""
        return SwarmApp(self.engine, clock=lambda: self.engine.now)


BEFORE: Files = {
    "app.py": '''"""An app."""

import os


def greet(name, loud=False):
    # say hello
    text = "hello " + name
    return text.upper() if loud else text


def one():
    return 1


def two():
    return 2


def far_away(x):
    return x * 2
''',
    "gone.txt": "bye\n",
    "old name.txt": "".join(f"line {n}\n" for n in range(30)),
    "tool.sh": "echo\n",
    "blob.bin": b"\0\1\2",
    "crlf.txt": "a\r\nb\r\n",
}
AFTER: Files = {
    "app.py": cast(str, BEFORE["app.py"])
    .replace("loud=False", "loud=True, times=1")
    .replace('"hello "', '"Hello, "')
    .replace("import os\n", "import os\nimport sys\n")
    .replace("x * 2\n", 'x * 3  # 漢字\n\tx = "\u202e\x1b[31mevil"'),
    "gone.txt": None,
    "blob.bin": b"\0\1\2\3",
    "crlf.txt": "a\nb\n",
    "new/we\nird.py": "x = 1\n",
}


async def unchanged(folder: Path) -> Changed:
    """A run that changed nothing of what there was."""
    run = Changed(folder)
    run.write(BEFORE)
    run.write(AFTER)
    os.symlink("/etc/passwd", run.root / "link")
    await run.remember()
    return run


async def changed(folder: Path) -> Changed:
    """A run that changed something of every kind."""
    run = Changed(folder)
    run.write(BEFORE)
    os.symlink("app.py", run.root / "link")
    await run.remember()
    run.write(AFTER)
    (run.root / "tool.sh").chmod(0o755)
    (run.root / "old name.txt").rename(run.root / "new name.txt")
    (run.root / "link").unlink()
    os.symlink("/etc/passwd", run.root / "link")
    return run
