"""The contract of the port to agents: every implementation passes, one of the tests' own too."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest
import script_agent
from script_agent import SCRIPT
from support import LIMIT_S, fake_codex, quick, script, statuses, supervising, texts, until

from engine.agents import profiles, registry
from engine.agents.base import (
    AgentPort,
    AttemptEnd,
    AttemptOutcome,
    CommandRequest,
    ExtraRequest,
    OutcomeKind,
    OutputReader,
    SessionScope,
)
from engine.config.paths import Paths, private_folder
from engine.domain.errors import CATALOGUE, UserError
from engine.domain.events import Body
from engine.domain.model import Agent, Run, RunSpec, Status, Usage, Workspace, WorkspaceKind
from engine.domain.reasons import WaitingFor
from engine.preflight import check_texts
from tui.app import SwarmApp

NOW = 1.8e9
CODEX = """cat > /dev/null
echo '{"type": "thread.started", "thread_id": "t"}'
echo '{"type": "turn.started"}'
echo '{"type": "item.completed", "item": {"type": "agent_message", "text": "hello"}}'
echo '{"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 1}}'"""


@dataclass(frozen=True)
class Kind:
    """An agent, and a run of it that says hello."""

    agent: AgentPort
    spec: RunSpec


@pytest.fixture(autouse=True)
def _script_agent() -> Iterator[None]:
    script_agent.register()
    yield
    script_agent.unregister()


@pytest.fixture(params=["codex", "simulated", "script"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    prompts = {"codex": "say hello", "simulated": script("say hello"), "script": "echo hello"}
    agent = Agent(request.param)
    program = fake_codex(tmp_path, CODEX) if agent is Agent.CODEX else None
    spec = RunSpec(prompts[agent], "a title", "a project", agent=agent, codex_bin=program)
    return Kind(registry.agent_of(agent), spec)


@pytest.fixture
def output(kind: Kind, paths: Paths, tmp_path: Path) -> list[bytes]:
    """The lines that the agent's command prints."""
    run = Run("a1", kind.spec, NOW, workspace=Workspace(str(tmp_path), WorkspaceKind.EMPTY))
    folder = paths.attempt("a1", 1)
    private_folder(folder.path)
    asked = CommandRequest(run, quick(), paths, folder, None, os.environ, {}, {})
    command = kind.agent.command(asked)
    assert Path(command.argv[0]).is_absolute()
    assert kind.spec.prompt not in command.argv
    for needed in command.folders:
        assert needed.is_relative_to(paths.home)
        private_folder(needed)
    done = subprocess.run(
        command.argv,
        input=kind.spec.prompt.encode(),
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, **command.env},
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def begun(kind: Kind) -> OutputReader:
    return kind.agent.reader(kind.agent.first_state(None, Usage(), ()), "/w", None)


def ended(kind: Kind, end: AttemptEnd, lines: list[bytes] | None = None) -> AttemptOutcome:
    reader = begun(kind)
    reader.read(lines or [])
    reader.finish()
    return reader.outcome(end)


def test_the_registry_knows_it_by_its_name(kind: Kind) -> None:
    assert registry.agent_of(kind.spec.agent) is kind.agent
    assert kind.agent.name == kind.spec.agent.value == kind.agent.profile.name
    assert kind.agent.profile.title
    assert profiles.profile_of(kind.agent.name) is kind.agent.profile
    for code, entry in kind.agent.profile.errors.items():
        assert CATALOGUE[code] is entry
    assert kind.agent in registry.agents()


def test_a_good_spec_passes_its_checks(kind: Kind) -> None:
    kind.agent.check(kind.spec)
    kind.agent.check_installed(kind.spec, quick())
    assert all(program.is_file() for program in kind.agent.programs)
    assert kind.agent.requests <= frozenset(ExtraRequest)


def test_only_an_agent_that_takes_answers_can_be_interactive(kind: Kind) -> None:
    spec = replace(kind.spec, interactive=True)
    if ExtraRequest.ANSWER in kind.agent.requests:
        check_texts(spec)
        return
    with pytest.raises(UserError) as refused:
        check_texts(spec)
    assert refused.value.code == "RUN_NOT_INTERACTIVE"


def test_another_reader_goes_on_from_the_state_after_every_line(
    kind: Kind, output: list[bytes]
) -> None:
    whole = begun(kind)
    expected = whole.read(output) + whole.finish()
    reader, bodies = begun(kind), list[Body]()
    for line in output:
        bodies += reader.read([line])
        state = reader.state()
        assert isinstance(msgspec.json.decode(state), dict)
        reader.close()
        reader = kind.agent.reader(state, "/w", None)
    assert bodies + reader.finish() == expected
    assert any(getattr(body, "text", "") == "hello" for body in expected)
    assert reader.outcome(AttemptEnd(0)) == AttemptOutcome(OutcomeKind.SUCCESS)


def test_it_reads_any_bytes(kind: Kind) -> None:
    reader = begun(kind)
    for line in (b"", b"\xff\x00\x1b[31m", b"{", b'{"type": 1}', b"[" * 10_000, b"x" * 100_000):
        reader.read([line])
        reader.poll()
    reader.finish()
    reader.close()


@pytest.mark.parametrize("end", [AttemptEnd(1, "broken"), AttemptEnd(137), AttemptEnd(None)])
def test_a_failed_attempt_has_an_error_and_is_no_success(kind: Kind, end: AttemptEnd) -> None:
    outcome = ended(kind, end)
    assert outcome.kind is not OutcomeKind.SUCCESS
    assert outcome.error


def test_faults_of_the_machine_are_not_its_own(kind: Kind) -> None:
    for end in (AttemptEnd(1, is_disk_full=True), AttemptEnd(1, "x: No space left on device")):
        error = ended(kind, end).error
        assert error
        assert error.code == "DISK_FULL"
    vanished = ended(kind, AttemptEnd(None)).error
    assert vanished
    assert vanished.code == "RUN_INTERRUPTED"


def test_it_begins_with_no_thread_to_continue(kind: Kind) -> None:
    state = kind.agent.first_state(None, Usage(1, 0, 1), [begun(kind).state()])
    assert not kind.agent.reader(state, "/w", None).can_continue
    assert not kind.agent.can_continue("no thread of it")


def test_a_fork_begins_without_a_thread_of_its_own(kind: Kind) -> None:
    state = kind.agent.first_state("t", Usage(), [begun(kind).state()], forks=True)
    assert not kind.agent.reader(state, "/w", None).can_continue


def test_a_limit_resets_in_the_future(kind: Kind) -> None:
    assert kind.agent.resets_at("a limit was reached", (), 3, NOW) > NOW


def test_it_finds_no_sessions_of_others(kind: Kind, paths: Paths, tmp_path: Path) -> None:
    finder = kind.agent.sessions(SessionScope(paths, [], (), ()))
    assert list(finder.find()) == []
    assert finder.one(tmp_path / "no session") is None
    assert all(path.exists() for path, _ in kind.agent.kept_files({}))


async def test_its_run_succeeds(kind: Kind, paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(kind.spec)
        await until(engine, lambda: engine.view.runs[run.id].finished_at)
        assert engine.view.runs[run.id].status is Status.SUCCEEDED
        assert texts(await engine.events(run.id)) == ["hello"]


# Complete runs of the script


@pytest.mark.parametrize(
    ("code", "error"),
    [(77, "SCRIPT_REFUSED"), (3, "AGENT_CRASHED")],
)
async def test_the_outcome_decides_how_a_run_ends(paths: Paths, code: int, error: str) -> None:
    spec = RunSpec(f"echo so far; exit {code}", "a title", "a project", agent=SCRIPT)
    async with supervising(paths) as engine:
        run = await engine.start(spec)
        await until(engine, lambda: engine.view.runs[run.id].finished_at)
        ended = engine.view.runs[run.id]
    assert (ended.status, ended.error.code if ended.error else "") == (Status.FAILED, error)


async def test_the_queue_is_paused_after_login_failures_as_the_agent_reports_them(
    paths: Paths,
) -> None:
    async with supervising(paths, slots=1) as engine:
        for _ in range(3):
            await engine.start(RunSpec("exit 77", "a title", "a project", agent=SCRIPT))
        await until(engine, lambda: engine.pause is not None)
        pause = engine.pause
        left = [run.status for run in engine.view.runs.values()]
    assert pause is not None
    assert pause.waiting_for is WaitingFor.LOGIN
    assert sorted(left) == [Status.FAILED, Status.FAILED, Status.QUEUED]


async def test_the_engine_waits_for_the_limit_as_the_agent_reports_it(paths: Paths) -> None:
    prompt = 'test -e limited && exec echo done; touch limited; echo "too many" >&2; exit 69'
    async with supervising(paths) as engine:
        run = await engine.start(RunSpec(prompt, "a title", "a project", agent=SCRIPT))
        await until(engine, lambda: engine.view.runs[run.id].finished_at)
        events = await engine.events(run.id)
    assert statuses(events).count(Status.QUEUED) == 2
    assert texts(events) == ["done"]


async def test_a_spec_that_the_agent_refuses_is_not_stored(paths: Paths) -> None:
    spec = RunSpec("echo hello", "a title", "a project", agent=SCRIPT, images=("/x.png",))
    async with supervising(paths) as engine:
        with pytest.raises(UserError):
            await engine.start(spec)
        assert not engine.view.runs


async def test_the_dashboard_shows_a_run_of_it(paths: Paths) -> None:
    async with supervising(paths) as engine:
        app = SwarmApp(engine)
        async with app.run_test(size=(120, 40)) as pilot:
            run = await engine.start(RunSpec("echo a word", "greet", "garden", agent=SCRIPT))
            await until(engine, lambda: engine.view.runs[run.id].finished_at)
            async with asyncio.timeout(LIMIT_S):
                while not ({"greet", "a word"} <= shown_parts(app, "greet", "a word")):
                    await pilot.pause()


def shown_parts(app: SwarmApp, *parts: str) -> set[str]:
    strips = app.screen._compositor.render_strips()
    text = "\n".join(strip.text for strip in strips)
    return {part for part in parts if part in text}


async def test_the_command_line_runs_it_and_shows_its_log(paths: Paths) -> None:
    async with supervising(paths) as engine:
        words = ("run", "--empty", "--agent", "script", "--json", "echo hello")
        done = await asyncio.to_thread(typed, *words)
        assert done.returncode == 0, done.stderr
        (run,) = engine.view.runs
        await until(engine, lambda: engine.view.runs[run].finished_at)
        log = await asyncio.to_thread(typed, "logs", run)
    assert b'"text":"hello"' in done.stdout.replace(b": ", b":")
    assert b"hello" in log.stdout


def typed(*words: str) -> subprocess.CompletedProcess[bytes]:
    """Type a command of a process that knows the agent."""
    program = [sys.executable, script_agent.__file__, *words]
    folders = [str(Path(__file__).parents[2])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    return subprocess.run(program, capture_output=True, env=env, timeout=LIMIT_S)
