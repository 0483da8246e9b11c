"""A workspace that is set up before the real Codex works in it."""

from __future__ import annotations

from pathlib import Path

from house import House, carried, ended, happened, steps, task
from loopback import LoopbackServer, command, message
from repos import repository

from engine.config import ports
from engine.config.settings import WorkspaceSettings
from engine.domain.events import Progressed
from engine.domain.model import ChangeCount, Status, WorkspaceKind, WorkspaceSpec


async def test_codex_finds_what_the_set_up_made(
    house: House, server: LoopbackServer, lab: Path
) -> None:
    source = lab / "garden"
    source.mkdir()
    (source / "a.txt").write_text("a\n")
    (source / ".env").write_text("KEY=of the garden\n")
    prompt = server.script("set-up", [command("cat made .env; echo b >>a.txt"), message("Done.")])
    wish = WorkspaceSpec(WorkspaceKind.COPY, str(source))
    settings = WorkspaceSettings(setup=("echo water >made", "cat .env >>made"))
    async with house.engine(workspace=settings) as engine:
        run = await carried(engine, task(prompt, workspace=wish))
        said = [progress.message for progress in await happened(engine, run, Progressed)]
        assert said[:2] == ["preparing the workspace", "set-up (1 of 2): echo water >made"]
        assert ("command", "completed", "cat made .env; echo b >>a.txt") in await steps(engine, run)
        log = house.attempt(run).setup.stdout.read_text()
    assert (run.status, run.changes) == (Status.SUCCEEDED, ChangeCount(1, 1, 0))
    assert log == "$ echo water >made\n$ cat .env >>made\n"
    output = (house.attempt(run).stdout).read_text()
    assert output.count("KEY=of the garden") == 2


async def test_commands_of_codex_have_the_variables_of_the_run(
    house: House, server: LoopbackServer
) -> None:
    line = 'touch "$TMPDIR/made" && echo "$SWARM_RUN $SWARM_ATTEMPT $SWARM_PORT $ASKED" >said'
    prompt = server.script("variables", [command(line), message("Done.")])
    async with house.engine() as engine:
        run = await carried(engine, task(prompt, env={"ASKED": "for"}))
        assert run.workspace is not None
        said = (Path(run.workspace.path) / "said").read_text().split()
    assert (said[0], said[1], said[3]) == (run.id, "1", "for")
    assert int(said[2]) == ports.assigned(house.paths, run.id)
    assert (house.paths.temporary(run.id) / "made").exists()


async def test_codex_works_in_a_folder_of_the_workspace(
    house: House, server: LoopbackServer, lab: Path
) -> None:
    files: dict[str, str | bytes] = {"AGENTS.md": "of-the-top", "pkg/api/AGENTS.md": "of-the-api"}
    source = repository(lab / "mono", files)
    prompt = server.script("folder", [command("pwd; echo x >../../top.txt"), message("Done.")])
    wish = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source / "pkg" / "api"))
    async with house.engine() as engine:
        run = await carried(engine, task(prompt, workspace=wish))
        assert run.workspace is not None and run.workspace.cwd == "pkg/api"
        assert run.changes == ChangeCount(1, 1, 0)
        assert (Path(run.workspace.path) / "top.txt").read_text() == "x\n"
        first = len(server.requests)
        assert all(said in str(server.requests[0].body) for said in ("of-the-top", "of-the-api"))
        # A resumed thread has no --add-dir of its own.
        (Path(run.workspace.path) / "top.txt").unlink()
        run = await engine.resume(run.id, prompt)
        run = await ended(engine, run)
        assert run.workspace is not None and len(server.requests) > first
        assert (Path(run.workspace.path) / "top.txt").read_text() == "x\n"
