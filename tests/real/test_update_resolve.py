"""A conflict with the base of a run, resolved by the real Codex."""

from __future__ import annotations

from pathlib import Path

import repos
from house import House, carried, task, until
from loopback import LoopbackServer, command, message, patch, update_file

from engine.domain.lifecycle import FINISHED
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.engine import ApplyMode

LINES = "one\ntwo\nthree\n"


async def test_the_agent_resolves_the_files_that_conflict(
    house: House, server: LoopbackServer, tmp_path: Path
) -> None:
    source = repos.repository(tmp_path / "source", {"a.txt": LINES})
    prompt = server.script(
        "a",
        [patch(update_file("a.txt", "two", "two of the run")), message("First.")],
        [command("printf 'one\\nboth\\nthree\\n' > a.txt"), message("Resolved.")],
    )
    place = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    async with house.engine() as engine:
        run = await carried(engine, task(prompt, workspace=place))
        repos.write(source, {"a.txt": LINES.replace("two", "two of main"), "new.txt": "n\n"})
        repos.commit(source, "upstream")
        report = await engine.updates.resolve(run.id)
        assert (report.is_resumed, [one.path for one in report.conflicts]) == (True, ["a.txt"])
        await until(engine, run, lambda now: now.attempt == 2 and now.status in FINISHED)
        done = await engine.find(run.id)
        assert (done.attempt, done.updated and done.updated.conflicts) == (2, ())
        changes = await engine.workspaces.changes(run.id)
        assert [file.path for file in changes.files] == ["a.txt"]
        await engine.workspaces.apply(run.id, ApplyMode.EDITS)
    assert (source / "a.txt").read_text() == "one\nboth\nthree\n"
    sent = str(server.requests[-1].body["input"])
    assert "- a.txt (changed by the run and by main)" in sent
    assert "+two of main" in sent
