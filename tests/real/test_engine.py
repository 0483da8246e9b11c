"""A run of the real Codex through our engine, from the prompt to what is left of it."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

from house import (
    House,
    bodies,
    carried,
    doing,
    ended,
    files,
    happened,
    percents,
    steps,
    task,
    until,
    wait_for_events,
)
from loopback import (
    LoopbackServer,
    add_file,
    command,
    delete_file,
    message,
    patch,
    plan,
    reasoning,
    together,
    update_file,
)

from engine.domain.events import (
    ArtifactSaved,
    CheckpointTaken,
    FileChange,
    FilesChanged,
    Notice,
    PlanChanged,
    Progressed,
    StatusChanged,
    Step,
    UsageCounted,
    event_json,
)
from engine.domain.model import (
    ChangeCount,
    PlanItem,
    Stage,
    Status,
    Usage,
    Workspace,
    WorkspaceKind,
    WorkspaceSpec,
)

FULL_TURN = [
    plan([("look", "in_progress"), ("write", "pending")]),
    together(reasoning("**Why**"), command("echo here; echo there")),
    command("echo no >&2; exit 7"),
    patch(add_file("a.txt", "one\ntwo") + add_file("sub/b.txt", "x")),
    plan([("look", "completed"), ("write", "in_progress")]),
    patch(update_file("a.txt", "two", "three") + delete_file("sub/b.txt")),
    plan([("look", "completed"), ("write", "completed")]),
    message("All is done."),
]
HOSTILE = "[/red] [bold]x \x1b[2J \x1b]52;c;aGk=\x07 \u202edlrow \x9b31m"


async def test_a_full_turn(house: House, server: LoopbackServer) -> None:
    async with house.engine() as engine:
        run = await carried(engine, task(server.script("full", FULL_TURN)))
        told = await bodies(engine, run)
        assert percents(told) == [0, 20, 30, 55, 80, 100]
        counted = await happened(engine, run, UsageCounted)
        checkpoints = await happened(engine, run, CheckpointTaken)
        assert (await engine.runs()) == [run] == list(engine.view.runs.values())
    assert (run.status, run.exit_code, run.error) == (Status.SUCCEEDED, 0, None)
    assert (run.percent, run.stage, run.usage) == (
        100,
        Stage.COMPLETE,
        Usage(8000, 1600, 400, 80, 8),
    )
    assert run.workspace
    workspace = Path(run.workspace.path)
    assert files(workspace) == {"a.txt": "one\nthree\n"}
    assert run.workspace == Workspace(str(workspace), WorkspaceKind.EMPTY)
    assert house.attempt(run).last_message.read_text("utf-8") == "All is done."
    place = {"path": str(workspace), "kind": "empty", "source": None, "branch": None, "cwd": ""}
    place["host"] = "local"
    thread = {"thread_id": run.thread_id}
    assert counted[-1] == UsageCounted(8000, 1600, 400, 258400, 80, 8, "gpt-5.5")
    assert counted == sorted(counted, key=lambda usage: usage.input_tokens)
    assert checkpoints[0].n == 0
    assert run.changes == ChangeCount(1, 2, 0)
    assert told == [
        StatusChanged(Status.QUEUED),
        StatusChanged(Status.PREPARING, Status.QUEUED),
        Progressed(Stage.WORKSPACE_PREP, "preparing the workspace", 0),
        Progressed(Stage.WORKSPACE_CLONED, "workspace ready", 20, place),
        StatusChanged(Status.RUNNING, Status.PREPARING),
        Progressed(Stage.EXECUTING, "thinking", 30, thread),
        *WORK,
        Progressed(Stage.EXTRACTING_PATTERNS, "learning", 80),
        ArtifactSaved("attempt-1/last-message.md", 12),
        Progressed(Stage.COMPLETE, "complete", 100, elapsed_s=told[-2].elapsed_s),
        StatusChanged(Status.SUCCEEDED, Status.RUNNING, exit_code=0),
    ]


def _plan(look: bool, write: bool) -> PlanChanged:
    return PlanChanged((PlanItem("look", look), PlanItem("write", write)))


def _command(line: str, phase: str, exit_code: int | None, output: str | None) -> Step:
    whole = f"/bin/bash -lc '{line}'"
    return Step("tool", "command", phase, line, whole, exit_code, output)


def _patch(phase: str, *changes: tuple[str, str]) -> Step:
    text = ", ".join(path for path, _ in changes)
    found = tuple(FileChange(*change) for change in changes)
    return Step("tool", "file_change", phase, text, changes=found)


WORK = [
    _plan(look=False, write=False),
    Step("reasoning", "message", "completed", "**Why**"),
    _command("echo here; echo there", "started", None, None),
    _command("echo here; echo there", "completed", 0, "here\nthere\n"),
    _command("echo no >&2; exit 7", "started", None, None),
    _command("echo no >&2; exit 7", "failed", 7, "no\n"),
    _patch("started", ("a.txt", "added"), ("sub/b.txt", "added")),
    _patch("completed", ("a.txt", "added"), ("sub/b.txt", "added")),
    _plan(look=True, write=False),
    Progressed(Stage.EXECUTING, "1 of 2 steps done", 55),
    _patch("started", ("a.txt", "modified"), ("sub/b.txt", "deleted")),
    _patch("completed", ("a.txt", "modified"), ("sub/b.txt", "deleted")),
    _plan(look=True, write=True),
    Progressed(Stage.EXECUTING, "2 of 2 steps done", 80),
    Step("assistant", "message", "completed", "All is done."),
]


async def test_percent_never_goes_back_with_a_plan_that_grows(
    house: House, server: LoopbackServer
) -> None:
    script = [
        plan([("a", "completed"), ("b", "in_progress")]),
        plan([("a", "completed"), ("b", "pending"), ("c", "pending"), ("d", "pending")]),
        plan([("a", "completed"), ("b", "completed"), ("c", "completed"), ("d", "pending")]),
        message("I leave d."),
    ]
    async with house.engine() as engine:
        run = await carried(engine, task(server.script("grows", script)))
        assert percents(await bodies(engine, run)) == [0, 20, 30, 55, 67, 80, 100]
        assert [item.completed for item in run.plan] == [True, True, True, False]


async def test_a_running_command_is_the_activity(
    house: House, server: LoopbackServer, pipe: Path
) -> None:
    line = f"cat {pipe}"
    async with house.engine() as engine:
        run = await engine.start(task(server.script("long", [command(line), message("x")])))
        now = await until(engine, run, lambda now: doing(now).startswith("running"))
        assert (now.doing, now.percent, now.open_items) == (f"running `{line}`", 30, 1)
        await asyncio.to_thread(pipe.write_text, "go on\n")
        run = await ended(engine, run)
        (_, done, _) = await happened(engine, run, Step)
    assert (run.status, done.output) == (Status.SUCCEEDED, "go on\n")


async def test_the_sandbox_s_own_folders_are_no_changes(
    house: House, server: LoopbackServer
) -> None:
    seen, gone = threading.Event(), threading.Event()
    script = [command("echo x > a.txt"), command("rm a.txt").after(seen), message("x").after(gone)]
    async with house.engine() as engine:
        run = await engine.start(task(server.script("files", script)))
        await wait_for_events(engine, run, FilesChanged, 1)
        seen.set()
        told = await wait_for_events(engine, run, FilesChanged, 2)
        gone.set()
        await ended(engine, run)
    changes = [change for event in told for change in event.changes]
    # While a command runs there are `.agents`, `.aws`, `.codex` and `.git` in the workspace.
    assert changes == [FileChange("a.txt", "added"), FileChange("a.txt", "deleted")]


async def test_a_long_prompt_arrives_whole(house: House, server: LoopbackServer) -> None:
    prompt = server.script("p", [message("x")]) + "\n" + "ä line\n" * 40_000
    assert len(prompt.encode()) > 300_000
    async with house.engine() as engine:
        run = await carried(engine, task(prompt))
    assert run.status is Status.SUCCEEDED
    assert _prompt(server) == prompt


async def test_hostile_text_goes_to_codex_as_it_is_and_nowhere_else(
    house: House, server: LoopbackServer
) -> None:
    script = [
        together(message(HOSTILE), command(f"printf '%s' '{HOSTILE}'")),
        patch(add_file("[red]\x1b[31m.txt", "x")),
        plan([(HOSTILE, "completed")]),
        message(HOSTILE),
    ]
    prompt = f"{server.script('hostile', script)} {HOSTILE}"
    async with house.engine() as engine:
        run = await carried(engine, task(prompt))
        events = [event_json(event) for event in await engine.events(run.id)]
        (name,) = [entry.name for entry in await engine.workspaces.folder(run.id)]
    assert (run.status, run.spec.prompt) == (Status.SUCCEEDED, prompt)
    assert _prompt(server) == prompt
    told = json.dumps(events, ensure_ascii=False).replace("\\u001b", "\x1b")
    assert "[/red] [bold]x" in told
    for unsafe in ("\x1b", "\u202e", "\x9b", "]52;"):
        assert unsafe not in told
    assert name == "[red]\\x1b[31m.txt"


def _prompt(server: LoopbackServer) -> str:
    """Return the prompt that the model server was sent first."""
    return server.requests[0].body["input"][-1]["content"][0]["text"]


async def test_two_runs_at_once_share_no_database(house: House, server: LoopbackServer) -> None:
    gate = threading.Event()
    prompt = server.script("both", [command("true").after(gate), message("x")])
    async with house.engine() as engine:
        runs = [await engine.start(task(prompt)) for _ in range(2)]
        await asyncio.to_thread(server.wait_for_requests, 2)
        assert {run.status for run in engine.view.runs.values()} == {Status.RUNNING}
        gate.set()
        runs = [await ended(engine, run) for run in runs]
    assert [(run.status, run.usage.input) for run in runs] == [(Status.SUCCEEDED, 2000)] * 2
    assert len({run.thread_id for run in runs}) == 2
    for run in runs:
        assert list((house.paths.run(run.id) / "codex").glob("state_*.sqlite"))
        assert "database" not in house.attempt(run).stderr.read_text("utf-8")
    assert list(house.codex_home.rglob("*.sqlite")) == []


async def test_a_copy_is_worked_on_and_the_source_is_not(
    house: House, server: LoopbackServer, lab: Path
) -> None:
    source = lab / "source"
    (source / "sub").mkdir(parents=True)
    (source / "a.txt").write_text("old\n")
    (source / "sub" / "tool").write_text("#!/bin/sh\necho tool >tool.out\n")
    (source / "sub" / "tool").chmod(0o755)
    before = files(source)
    script = [patch(update_file("a.txt", "old", "new")), command("sub/tool"), message("x")]
    spec = WorkspaceSpec(WorkspaceKind.COPY, str(source))
    async with house.engine() as engine:
        run = await carried(engine, task(server.script("copy", script), workspace=spec))
        texts = {body.text for body in await happened(engine, run, Notice)}
    # The folder of these tests lies in the repository of the program, where that is one.
    assert texts <= {"not in the workspace: the git history (--worktree has it)"}
    assert run.workspace == Workspace(run.workspace.path, WorkspaceKind.COPY, str(source))
    assert run.status is Status.SUCCEEDED
    assert files(source) == before
    changed = {"a.txt": "new\n", "tool.out": "tool\n"}
    assert files(Path(run.workspace.path)) == {**before, **changed}


async def test_a_retry_goes_on_in_the_same_workspace(house: House, server: LoopbackServer) -> None:
    script = [command("echo x >>count.txt"), message("x")]
    async with house.engine() as engine:
        first = await carried(engine, task(server.script("again", script)))
        second = await ended(engine, await engine.retry(first.id))
        told = await steps(engine, second)
    assert (second.attempt, second.status, second.percent) == (2, Status.SUCCEEDED, 100)
    assert second.workspace == first.workspace
    assert files(Path(second.workspace.path)) == {"count.txt": "x\nx\n"}
    assert len(told) == 6
    assert second.thread_id == first.thread_id
    assert second.usage == Usage(4000, 800, 200, 40, 4)  # a running total, not added twice
