"""What fails in one run, and what the machine lacks for a while: no other run suffers from it."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import faulty
import pytest
from support import becomes, of_type, played, quick, settled, spec, supervising, until

from engine.agents.codex import translation
from engine.config.paths import Paths
from engine.domain.errors import UserError, reported, user_error
from engine.domain.events import Event
from engine.domain.model import Run, Status
from engine.domain.projection import View
from engine.domain.reasons import Condition
from engine.domain.transient import from_message, transient
from engine.engine import Engine
from engine.execution import fault_reporter, outcome, supervisor, task_tree
from engine.execution.local import executor, process, process_marks
from engine.execution.local import workspaces as local_workspaces
from engine.execution.stages import agent, checkpoint, verify
from engine.system.files import LineReader

LACKS = [
    OSError(errno.EMFILE, "Too many open files"),
    OSError(errno.ENFILE, "Too many open files in system"),
    BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.ESTALE, "Stale file handle"),
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    RuntimeError("can't start new thread"),
    MemoryError(),
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_tree, "BACKOFF", faulty.QUICK)
    monkeypatch.setattr(executor, "LATE_START_S", 0.01)
    monkeypatch.setattr(fault_reporter, "GAP_S", 0.01)


class Breaking:
    """Lets a function fail: with these errors, one a call, or for all calls that match."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.calls = 0

    def in_turn(self, owner: Any, name: str, errors: list[Exception]) -> None:
        left: Iterator[Exception] = iter(errors)
        real = getattr(owner, name)

        def call(*given: Any, **named: Any) -> Any:
            error = next(left, None)
            if error:
                self.calls += 1
                raise error
            return real(*given, **named)

        self._patch.setattr(owner, name, call)

    def where(self, owner: Any, name: str, holds: Callable[..., object]) -> None:
        real = getattr(owner, name)

        def call(*given: Any, **named: Any) -> Any:
            if holds(*given, **named):
                self.calls += 1
                raise ValueError("broken for the test")
            return real(*given, **named)

        self._patch.setattr(owner, name, call)


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Breaking:
    return Breaking(monkeypatch)


# What the machine lacks for a while


@pytest.mark.parametrize("error", LACKS, ids=repr)
def test_a_condition_that_passes_is_known_by_itself_and_as_a_cause(error: Exception) -> None:
    assert transient(error)
    blamed = user_error("CODEX_CLI_MISSING")
    blamed.__cause__ = error
    assert transient(blamed) == transient(error)


def test_other_errors_and_what_programs_of_the_run_reported_are_none_that_pass() -> None:
    others = [ValueError(), OSError(errno.EACCES, ""), user_error("INTERNAL"), RuntimeError("x")]
    assert not any(map(transient, [*others, reported("DISK_FULL"), None]))
    assert transient(user_error("DISK_FULL"))
    assert transient(user_error("DATABASE_LOCKED"))
    assert transient(ExceptionGroup("both", [MemoryError(), MemoryError()]))
    assert not transient(ExceptionGroup("both", [MemoryError(), ValueError()]))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("fatal: unable to create thread: Resource temporarily unavailable", errno.EAGAIN),
        ("error: cannot fork to run git-x: Cannot allocate memory", errno.EAGAIN),
        ("fatal: Out of memory, malloc failed", errno.ENOMEM),
        ("fatal: cannot open '.git/HEAD': Too many open files", errno.EMFILE),
        ("error: unable to write file: No space left on device", errno.ENOSPC),
        ("error: read error: Stale file handle", errno.ESTALE),
    ],
)
def test_what_git_says_of_the_machine_is_understood(text: str, number: int) -> None:
    found = from_message(text)
    assert found is not None
    assert found.errno == number
    assert from_message("fatal: not a git repository") is None


SITES = {
    "the workspace": (local_workspaces, "make"),
    "the prompt": (executor, "write_prompt"),
    "the start of the agent": (process, "_start"),
    "the spool": (LineReader, "lines"),
    "the end": (outcome, "attempt_outcome"),
}


@pytest.mark.parametrize("site", SITES)
async def test_what_the_machine_lacks_is_waited_for_and_ends_no_run(
    paths: Paths, breaking: Breaking, site: str
) -> None:
    breaking.in_turn(*SITES[site], list(LACKS))
    async with supervising(paths) as engine:
        runs = [await engine.start(spec("say one", "say two")) for _ in range(3)]
        paused: list[str] = []
        batches = engine.batches(0)
        while engine.view.live:
            await anext(batches)
            paused += [engine.pause.reason] if engine.pause else []
        ended = [engine.view.runs[run.id] for run in runs]
        events = [await engine.events(run.id) for run in runs]
    assert breaking.calls == len(LACKS)
    assert [run.status for run in ended] == [Status.SUCCEEDED] * 3
    for of_run in events:
        said = [body.text for body in of_type(of_run, "step") if body.role == "assistant"]
        assert said == ["one", "two"]


async def test_refused_threads_and_processes_in_the_middle_of_runs_end_none(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fault_reporter, "PAUSE_S", 0.1)
    is_refusing = False
    in_thread, new_child = asyncio.to_thread, subprocess.Popen.__init__

    async def to_thread(*given: Any, **named: Any) -> Any:
        if is_refusing:
            raise RuntimeError("can't start new thread")
        return await in_thread(*given, **named)

    def child(*given: Any, **named: Any) -> None:
        if is_refusing:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        new_child(*given, **named)

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    monkeypatch.setattr(subprocess.Popen, "__init__", child)
    async with supervising(paths, slots=2) as engine:
        lines = ("write a.txt one", "numbered 40 every=0.02", "write b.txt two")
        runs = [await engine.start(spec(*lines)) for _ in range(2)]
        for run in runs:
            await until(engine, lambda run=run: engine.view.runs[run.id].thread_id)
        runs.append(await engine.start(spec("say late")))
        is_refusing = True
        await until(engine, lambda: engine.pause)
        assert engine.pause.reason == Condition.PROCESSES
        is_refusing = False
        await settled(engine)
        ended = [engine.view.runs[run.id] for run in runs]
        events = [await engine.events(run.id) for run in runs[:2]]
        await becomes(lambda: not engine.faults)
    assert [(run.status, run.attempt) for run in ended] == [(Status.SUCCEEDED, 1)] * 3
    for of_run in events:
        said = [body.text for body in of_type(of_run, "step") if body.role == "assistant"]
        assert said == [f"n {n}" for n in range(1, 41)]


async def test_the_queue_shows_what_it_waits_for_and_goes_on_by_itself(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fault_reporter, "PAUSE_S", 0.3)
    real, is_over = process._start, False

    def start(*given: Any) -> Any:
        if not is_over:
            raise OSError(errno.EMFILE, "Too many open files")
        return real(*given)

    monkeypatch.setattr(process, "_start", start)
    async with supervising(paths) as engine:
        first = await engine.start(spec())
        # A task that takes long to fail again counts as working meanwhile.
        await becomes(lambda: engine.pause and engine.faults)
        assert engine.pause.reason == "too many files are open"
        assert engine.faults[0].passing == "too many files are open"
        second = await engine.start(spec())
        is_over = True
        await settled(engine)
        await becomes(lambda: not engine.faults)
        assert {engine.view.runs[run.id].status for run in (first, second)} == {Status.SUCCEEDED}


# What fails in one run


async def failed(engine: Engine, bad: Run) -> Run:
    """Wait for the end of a run that meets faults, while another one goes well."""
    good = await played(engine, "say hello")
    await until(engine, lambda: engine.view.runs[bad.id].finished_at)
    assert good.status is Status.SUCCEEDED
    return engine.view.runs[bad.id]


def has_poison(_: object, lines: Iterable[bytes]) -> bool:
    return any(b"poison" in line for line in lines)


WAYS = {
    "preparing": (agent, "build_prompt", lambda run, _: run.spec.title == "bad"),
    "following": (translation.Translator, "translate_all", has_poison),
    "verifying": (verify.VerifyStage, "verify", lambda _, run, __: run.spec.title == "bad"),
    "finishing": (outcome, "decide", lambda run, *_, **__: run.spec.title == "bad"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_fault_in_one_run_fails_that_run_and_says_why(
    paths: Paths, breaking: Breaking, way: str
) -> None:
    breaking.where(*WAYS[way])
    async with supervising(paths) as engine:
        bad = await engine.start(spec("say poison", title="bad", verify="true"))
        ended = await failed(engine, bad)
        notices = of_type(await engine.events(bad.id), "notice")
    assert (ended.status, ended.error.code) == (Status.FAILED, "INTERNAL")
    assert "ValueError: broken for the test" in ended.error.message
    assert any("internal fault" in notice.text for notice in notices)
    assert breaking.calls <= 3 * task_tree.BACKOFF.identical  # tried again, and never in a hurry
    assert not process_marks.marked(process_marks.mark(paths.attempt(bad.id, 1)))


async def test_a_fault_that_passes_costs_a_run_nothing(paths: Paths, breaking: Breaking) -> None:
    breaking.in_turn(outcome, "decide", [ValueError("once"), KeyError("twice")])
    async with supervising(paths) as engine:
        run = await played(engine, "say hello")
    assert (run.status, run.attempt) == (Status.SUCCEEDED, 1)


async def test_a_faulty_run_can_be_cancelled_at_once(
    paths: Paths, breaking: Breaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_tree, "BACKOFF", task_tree.Backoff(first_s=3600, longest_s=3600))
    breaking.where(translation.Translator, "translate_all", has_poison)
    async with supervising(paths, grace_s=0.2) as engine:
        run = await engine.start(spec("say poison", "hang"))
        await until(engine, lambda: engine.faults)
        monkeypatch.setattr(task_tree, "BACKOFF", faulty.QUICK)
        await engine.cancel(run.id)
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.CANCELLED
    assert not process_marks.marked(process_marks.mark(paths.attempt(run.id, 1)))


async def test_a_cancel_that_fails_is_a_cancel_in_the_end(paths: Paths, breaking: Breaking) -> None:
    breaking.where(supervisor.RunSupervisor, "_stop", lambda _: True)
    async with supervising(paths, grace_s=0.2) as engine:
        run = await engine.start(spec("say hello", "hang"))
        await until(engine, lambda: engine.view.runs[run.id].doing == "thinking")
        await engine.cancel(run.id)
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.CANCELLED
    assert breaking.calls == task_tree.BACKOFF.identical
    assert not process_marks.marked(process_marks.mark(paths.attempt(run.id, 1)))


async def test_a_run_whose_row_cannot_be_written_stops_no_other(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with supervising(paths) as engine:
        bad = await engine.start(spec("numbered 20 every=0.05", title="bad"))
        real = engine._store._append

        def append(db: Any, entries: Any) -> Any:
            if any(entry.run == bad.id and entry.cursor for entry in entries):
                raise ValueError("a poison row")
            return real(db, entries)

        monkeypatch.setattr(engine._store, "_append", append)
        ended = await failed(engine, bad)
    assert (ended.status, ended.error.code) == (Status.FAILED, "INTERNAL")


async def test_an_event_that_cannot_be_shown_hides_no_other_run(
    paths: Paths, breaking: Breaking
) -> None:
    def is_bad(_: View, events: Sequence[Event]) -> bool:
        return any("poison" in getattr(event.body, "text", "") for event in events)

    breaking.where(View, "apply", is_bad)
    async with supervising(paths) as engine, Engine.open(paths, quick()) as other:
        bad = await engine.start(spec("say poison", "say more"))
        good = await engine.start(spec("say hello"))
        await settled(engine)
        runs = (bad.id, good.id)
        await until(other, lambda: all(run in other.view.runs for run in runs))
        await until(other, lambda: all(other.view.runs[run].finished_at for run in runs))
    assert breaking.calls


async def test_a_run_whose_files_are_all_gone_ends_and_stops_no_other(paths: Paths) -> None:
    async with supervising(paths, grace_s=0.2) as engine:
        bad = await engine.start(spec("say hello", "hang"))
        await until(engine, lambda: engine.view.runs[bad.id].doing == "thinking")
    shutil.rmtree(paths.run(bad.id))
    async with supervising(paths, grace_s=0.2) as engine:
        good = await played(engine, "say hello")
        await engine.cancel(bad.id)
        await settled(engine)
        ended = engine.view.runs[bad.id]
    assert good.status is Status.SUCCEEDED
    assert ended.status is Status.CANCELLED
    assert not process_marks.marked(process_marks.mark(paths.attempt(bad.id, 1)))


@pytest.mark.parametrize("name", ["stdout.jsonl", "pid", "exit", "stderr.log"])
async def test_a_pipe_in_the_place_of_a_file_stops_no_other_run(paths: Paths, name: str) -> None:
    async with supervising(paths, grace_s=0.2) as engine:
        odd = await engine.start(spec("think on", "hang"))
        await until(engine, lambda: engine.view.runs[odd.id].thread_id)
    file = paths.attempt(odd.id, 1).path / name
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    async with supervising(paths, grace_s=0.2) as engine:
        assert (await played(engine, "say hi")).status is Status.SUCCEEDED
        with suppress(UserError):  # it has failed by then, or is ended now
            await engine.cancel(odd.id, kill=True)
        await settled(engine)
        assert engine.view.runs[odd.id].status in (Status.CANCELLED, Status.FAILED)


async def test_a_checkpoint_that_fails_for_ever_costs_the_run_only_its_checkpoints(
    paths: Paths, breaking: Breaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint.Checkpointer, "finish", _broken)
    async with supervising(paths) as engine:
        run = await played(engine, "write a.txt one")
        notices = of_type(await engine.events(run.id), "notice")
    assert run.status is Status.SUCCEEDED
    assert any("no last checkpoint: ValueError" in notice.text for notice in notices)


async def test_learning_that_fails_is_told_and_costs_the_run_nothing(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.execution.stages.learn.distil", _broken)
    async with supervising(paths) as engine:
        run = await played(engine, "say hello")
    assert run.status is Status.SUCCEEDED
    assert "no pattern was kept: ValueError" in run.notice


async def _broken(*_: object) -> None:
    raise ValueError("broken for the test")
