"""A run has the environment of the process that requested it, and variables of its own."""

from __future__ import annotations

import os
import shlex
import socket
import stat
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support import fake_codex, played, quick, settled, spec, supervising, until

from engine.config import ports
from engine.config.paths import Paths
from engine.config.settings import Config, ProjectSettings, WorkspaceSettings
from engine.domain.errors import UserError
from engine.domain.model import Agent, Run, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import BatchRequest, Engine
from engine.system import programs
from engine.system.environment import problem_of

SECRET = "s3cret-of-the-shell"
DONE = """echo '{"type":"turn.completed","usage":{}}'"""


def dump(file: Path) -> str:
    return f"env -0 > {shlex.quote(str(file))}"


def read(file: Path) -> dict[str, str]:
    return dict(line.partition("=")[::2] for line in file.read_text().split("\0"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def task(tmp_path: Path, source: Path, **more: Any) -> dict[str, Any]:
    return {
        "agent": Agent.CODEX,
        "codex_bin": fake_codex(tmp_path, f"{dump(tmp_path / 'agent')}\n{DONE}"),
        "workspace": WorkspaceSpec(WorkspaceKind.COPY, str(source)),
        "verify": dump(tmp_path / "verify"),
        **more,
    }


def settings(tmp_path: Path) -> dict[str, Any]:
    return {"workspace": WorkspaceSettings(setup=(dump(tmp_path / "setup"),))}


async def requested(paths: Paths, shell: Mapping[str, str], **more: Any) -> Run:
    """Request a run in a shell with these variables, where nobody supervises."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in shell.items():
            patched.setenv(name, value)
        async with Engine.open(paths, quick(**more.pop("settings", {})), follow=False) as engine:
            return await engine.start(spec(**more))


async def carried(paths: Paths, run: Run, **more: Any) -> Run:
    async with supervising(paths, **more) as engine:
        await until(engine, lambda: engine.view.runs[run.id].finished_at)
        return engine.view.runs[run.id]


async def test_all_programs_get_the_environment_of_the_shell_that_asked(
    paths: Paths, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = {"OF_SHELL": SECRET, "CODEX_HOME": str(tmp_path / "codex-home"), "ODD": "a\nb=\udcff"}
    run = await requested(
        paths,
        {**shell, "GIT_DIR": "/nowhere", "SWARM_PORT": "1"},
        settings=settings(tmp_path),
        **task(tmp_path, source, env={"ASKED": "for"}),
    )
    monkeypatch.setenv("OF_SUPERVISOR", "other")
    ended = await carried(paths, run, **settings(tmp_path))
    assert ended.error is None
    for name in ("agent", "verify", "setup"):
        text = (tmp_path / name).read_bytes().decode("utf-8", "surrogateescape")
        found = dict(line.partition("=")[::2] for line in text.split("\0"))
        assert {**found, **shell, "ASKED": "for"} == found, name
        assert "OF_SUPERVISOR" not in found and "GIT_DIR" not in found
        assert (found["SWARM_RUN"], found["SWARM_ATTEMPT"]) == (run.id, "1")
        assert int(found["SWARM_PORT"]) % 10 == 0 and int(found["SWARM_PORT"]) > 1000
        assert Path(found["TMPDIR"]).is_dir() and run.id in found["TMPDIR"]
    assert stat.S_IMODE(paths.environment(run.id).stat().st_mode) == 0o600


async def test_variables_are_in_no_other_file_and_go_with_the_run(
    paths: Paths, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_SHELL", SECRET)
    quiet = task(tmp_path, source, codex_bin=fake_codex(tmp_path, DONE), verify="test -n $ASKED")
    async with supervising(paths) as engine:
        run = await played(engine, **quiet, env={"ASKED": SECRET})
        assert run.status is Status.SUCCEEDED and run.spec.env == {}
        holding = [
            path
            for path in paths.home.rglob("*")
            if path.is_file() and SECRET.encode() in path.read_bytes()
        ]
        assert holding == [paths.environment(run.id)]
        (paths.temporary(run.id) / "left").write_text("x")
        entry = await engine.disk.cleaning.delete(run.id)
        assert not paths.temporary(run.id).exists() and paths.environment(run.id).exists()
        await engine.disk.empty([entry])
        assert not paths.environment(run.id).exists()


async def test_without_its_file_a_run_has_the_environment_of_the_supervisor(
    paths: Paths, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await requested(paths, {"OF_SHELL": SECRET}, **task(tmp_path, source))
    paths.environment(run.id).unlink()
    monkeypatch.setenv("OF_SUPERVISOR", "passes")
    assert (await carried(paths, run)).error is None
    found = read(tmp_path / "agent")
    assert found["OF_SUPERVISOR"] == "passes" and "OF_SHELL" not in found


async def test_a_damaged_file_fails_the_run_rather_than_to_lead_it_elsewhere(
    paths: Paths, tmp_path: Path, source: Path
) -> None:
    run = await requested(paths, {}, **task(tmp_path, source))
    (tmp_path / "agent").unlink()  # of the check of the login
    paths.environment(run.id).write_text("[1")
    ended = await carried(paths, run)
    assert ended.status is Status.FAILED
    assert not (tmp_path / "agent").exists()


async def test_later_attempts_keep_environment_and_ports(
    paths: Paths, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_SHELL", SECRET)
    async with supervising(paths) as engine:
        run = await played(engine, **task(tmp_path, source))
        first = read(tmp_path / "agent")
        monkeypatch.setenv("OF_SHELL", "other")
        await engine.retry(run.id)
        await settled(engine)
    again = read(tmp_path / "agent")
    assert again["SWARM_ATTEMPT"] == "2"
    same = ("OF_SHELL", "SWARM_PORT", "TMPDIR", "SWARM_RUN")
    assert [first[name] for name in same] == [again[name] for name in same]


async def test_a_batch_keeps_one_content_for_all_its_runs(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_SHELL", SECRET)
    async with Engine.open(paths, quick(), follow=False) as engine:
        plan = await engine.swarms.plan(BatchRequest(spec(env={"A": "b"}), count=3))
        _, runs = await engine.swarms.start(plan)
    files = [paths.environment(run.id) for run in runs]
    assert len({file.read_bytes() for file in files}) == 1
    assert all(SECRET in file.read_text() and '"A": "b"' in file.read_text() for file in files)
    assert len({file.stat().st_ino for file in files}) == 1


async def test_nothing_is_kept_of_a_run_that_cannot_be_queued(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Engine.open(paths, quick(), follow=False) as engine:

        def fail(*_: object) -> None:
            raise UserError("no", "no", "INTERNAL", "")

        monkeypatch.setattr(engine._store, "_append", fail)
        with pytest.raises(UserError):
            await engine.start(spec())
    assert list((paths.home / "runs").iterdir()) == []


async def test_no_two_live_runs_share_ports(paths: Paths) -> None:
    async with Engine.open(paths, quick(), follow=False) as engine:
        runs = [await engine.start(spec()) for _ in range(3)]

        class Live:
            async def runs(self, **_: object) -> list[Run]:
                return runs

        first = await ports.assign(paths, runs[0].id, Live())  # pyright: ignore[reportArgumentType]  values come by name
        assert first is not None
        for other in runs[1:]:
            paths.port(other.id).write_text(f"{first}\n")  # as one that ended had it before
            mine = await ports.assign(paths, other.id, Live())  # pyright: ignore[reportArgumentType]  values come by name
            assert mine is not None and mine != first
        assert len({ports.assigned(paths, run.id) for run in runs}) == 3


async def test_a_port_that_a_program_listens_on_is_left_out(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "_in_turn", lambda _run: iter((taken - taken % 10, 20000)))
    monkeypatch.setattr(ports, "_can_listen", lambda port: port != taken)
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        taken = listening.getsockname()[1]
        assert ports._assign(paths, "abc", []) == 20000


async def test_a_shell_for_a_run_has_its_environment_on_this_terminal(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await requested(paths, {"OF_SHELL": SECRET, "TERM": "of-shell"}, env={"ASKED": "for"})
    monkeypatch.setenv("TERM", "here")
    async with Engine.open(paths, quick(), follow=False) as engine:
        base = await engine.workspaces.environment(run.id)
    await programs.lend_terminal(["/bin/sh", "-c", dump(tmp_path / "lent")], tmp_path, {}, base)
    found = read(tmp_path / "lent")
    assert (found["OF_SHELL"], found["ASKED"], found["TERM"]) == (SECRET, "for", "here")
    assert found["SWARM_RUN"] == run.id


async def test_settings_give_variables_the_nearest_first(
    paths: Paths, tmp_path: Path, source: Path
) -> None:
    both = {
        "workspace": WorkspaceSettings(env={"A": "all", "B": "all", "C": "all"}),
        "projects": {"a project": ProjectSettings(env={"B": "project", "C": "project"})},
    }
    async with supervising(paths, **both) as engine:
        await played(engine, **task(tmp_path, source, env={"C": "flag"}))
    found = read(tmp_path / "agent")
    assert [found[name] for name in "ABC"] == ["all", "project", "flag"]


async def test_variables_of_a_repository_are_asked_for(
    paths: Paths, tmp_path: Path, source: Path
) -> None:
    (source / ".swarm").mkdir()
    (source / ".swarm" / "config.yaml").write_text("workspace: {env: {LD_PRELOAD: x.so, B: c}}")
    asked = spec(**task(tmp_path, source, env={}))
    own = {"projects": {"a project": ProjectSettings(env={"B": "mine"})}}
    async with supervising(paths, **own) as engine:
        with pytest.raises(UserError) as refused:
            await engine.start(asked)
        assert refused.value.code == "SETUP_NOT_TRUSTED"
        assert "sets the variable LD_PRELOAD to x.so" in refused.value.message
        assert "variable B" not in refused.value.message
        consent = await engine.trust.asked(asked)
        assert consent is not None
        await engine.trust.grant(consent)
        run = await engine.check(asked)
        assert run.env == {"LD_PRELOAD": "x.so", "B": "mine"}


async def test_variables_of_a_template_of_a_repository_are_asked_for(
    paths: Paths, tmp_path: Path, source: Path
) -> None:
    folder = source / ".swarm" / "templates"
    folder.mkdir(parents=True)
    (folder / "t.yaml").write_text(
        "description: d\nprompt: p\nenv: {BASH_ENV: x.sh, MINE: theirs}\n"
    )
    asked = spec(**task(tmp_path, source, env={"MINE": "mine"}))
    async with Engine.open(paths, quick(), follow=False) as engine:
        template = await engine.templates.find("t", source)
        consent = await engine.templates.consent(template, asked, ())
        assert consent is not None
        assert consent.lines() == ["sets the variable BASH_ENV to x.sh"]
        await engine.trust.grant(consent)
        filled = await engine.templates.fill(template, {}, asked)
        assert filled.env == {"BASH_ENV": "x.sh", "MINE": "mine"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "x"),
        ("A B", "x"),
        ("1A", "x"),
        ("A=B", "x"),
        ("SWARM_HOME", "x"),
        ("SWARM_RUN", "x"),
        ("TMPDIR", "/tmp"),
        ("CODEX_SQLITE_HOME", "x"),
        ("GIT_DIR", "x"),
        ("GIT_INDEX_FILE", "x"),
        ("A", "a\0b"),
        ("A", "x" * 40_000),
    ],
)
def test_variables_that_no_run_can_get_are_refused(name: str, value: str) -> None:
    assert problem_of(name, value)
    with pytest.raises(ValueError, match=r"\w"):
        Config(workspace=WorkspaceSettings(env={name: value}))


def test_a_search_path_of_the_shell_does_not_name_the_current_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from engine.system.environment import requested_environment

    monkeypatch.setenv("PATH", f".::{os.environ['PATH']}")
    assert not any(not part or part == "." for part in requested_environment()["PATH"].split(":"))
