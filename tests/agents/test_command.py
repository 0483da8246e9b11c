"""How Codex is found, and the arguments with which it is started."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support import spec

from engine.agents.base import AgentCommand, CommandRequest
from engine.agents.codex import command as module
from engine.agents.codex import exposed_secrets
from engine.agents.codex.command import find_codex
from engine.agents.codex.settings import CodexSettings
from engine.agents.registry import agent_of
from engine.agents.simulated.arguments import parse
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain.errors import UserError
from engine.domain.model import Agent, Run, RunSpec, Sandbox, Workspace, WorkspaceKind
from engine.execution.local.process_marks import MARK, mark
from engine.system.environment import OF_RUN


def executable(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any Codex."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _: None)


# How it is found


@pytest.mark.usefixtures("nowhere")
def test_codex_is_looked_for_in_this_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    on_path = executable(tmp_path / "bin/codex")
    named, told = executable(tmp_path / "named"), executable(tmp_path / "told")
    configured = executable(tmp_path / "configured")
    monkeypatch.setenv("SWARM_CODEX", told)
    assert find_codex(named, configured) == named
    assert find_codex(None, configured) == told
    monkeypatch.delenv("SWARM_CODEX")
    assert find_codex(None, configured) == configured
    assert find_codex(None, None) == on_path


def test_last_of_all_comes_the_python_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = find_codex(None, None)
    assert "codex_cli_bin" in found
    assert os.access(found, os.X_OK)


@pytest.mark.usefixtures("nowhere")
def test_without_any_codex_the_way_out_is_said() -> None:
    with pytest.raises(UserError) as caught:
        find_codex(None, None)
    assert caught.value.code == "CODEX_CLI_MISSING"
    assert "npm install -g @openai/codex" in caught.value.recovery


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("source", ["named", "environment", "configured"])
def test_a_codex_that_was_named_is_never_replaced_by_another(
    source: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    executable(tmp_path / "bin/codex")
    (tmp_path / "plain").write_text("no program")
    for wrong in (str(tmp_path / "gone"), str(tmp_path / "plain"), str(tmp_path)):
        if source == "environment":
            monkeypatch.setenv("SWARM_CODEX", wrong)
        named, configured = (wrong if source == name else None for name in ("named", "configured"))
        with pytest.raises(UserError) as caught:
            find_codex(named, configured)
        assert caught.value.code == "CODEX_CLI_MISSING"
        assert wrong in caught.value.message


@pytest.mark.usefixtures("nowhere")
def test_a_bare_name_a_relative_path_and_a_tilde_will_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = executable(tmp_path / "bin/codex-next")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("codex-next", "bin/codex-next", "~/bin/codex-next"):
        assert find_codex(name, None) == other


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("name", ["bin/codex", "./bin/codex", "../here/bin/codex"])
def test_no_setting_names_a_codex_in_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    executable(tmp_path / "here/bin/codex")
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UserError, match="no absolute path"):
        find_codex(None, name)
    monkeypatch.setenv("SWARM_CODEX", name)
    with pytest.raises(UserError, match="no absolute path"):
        find_codex(None, None)


# How it is started


def made(
    paths: Paths,
    wish: RunSpec,
    codex: CodexSettings | None = None,
    thread: str | None = None,
    workspace: Workspace | None = None,
) -> AgentCommand:
    folder = paths.attempt("abc", 2)
    config = Config(codex=codex or CodexSettings())
    run, base = Run("abc", wish, 0.0, workspace=workspace), dict(os.environ)
    for name in OF_RUN:
        base.pop(name, None)
    reserved = {MARK: mark(folder)}
    request = CommandRequest(run, config, paths, folder, thread, base, {}, reserved)
    return agent_of(wish.agent).command(request)


def options(what: AgentCommand) -> tuple[list[str], list[str]]:
    """The arguments after `exec`, and the settings among them."""
    argv = list(what.argv)
    argv = argv[argv.index("exec") :]
    return argv, [argv[n + 1] for n, word in enumerate(argv) if word == "-c"]


def test_a_new_thread(paths: Paths) -> None:
    argv, settings = options(made(paths, spec()))
    last_message = str(paths.attempt("abc", 2).last_message)
    assert argv[:5] == ["exec", "--json", "--skip-git-repo-check", "-o", last_message]
    assert argv[5:7] == ["-s", "workspace-write"]
    assert settings == ["tools.update_plan={enabled=true}", _mark(paths)]
    assert argv[-1] == "-"
    assert "-m" not in argv


def test_a_resumed_thread(paths: Paths) -> None:
    argv, settings = options(made(paths, spec(sandbox=Sandbox.READ_ONLY), thread="0199-a"))
    assert argv[:2] == ["exec", "resume"]
    assert "-s" not in argv
    assert settings[0] == 'sandbox_mode="read-only"'
    assert argv[-2:] == ["0199-a", "-"]


def test_what_the_run_says_goes_before_the_settings(paths: Paths) -> None:
    codex = CodexSettings(model="general", config={"a": 1})
    argv, settings = options(made(paths, spec(), codex))
    assert argv[argv.index("-m") + 1] == "general"
    wish = spec(model="own", codex_config=("a=2",), sandbox=Sandbox.DANGER_FULL_ACCESS)
    argv, settings = options(made(paths, wish, codex))
    assert argv[argv.index("-m") + 1] == "own"
    assert settings[-3:] == ["a=1", "a=2", _mark(paths)]
    assert argv[argv.index("-s") + 1] == "danger-full-access"


@pytest.mark.parametrize("thread", [None, "0199-a"])
def test_the_arguments_are_those_of_codex_exec(paths: Paths, thread: str | None) -> None:
    wish = spec(model="m", codex_config=("b.c=[1]",))
    argv, _ = options(made(paths, wish, CodexSettings(config={"a": "x"}), thread))
    read = parse(argv[1:])
    assert read.may_write
    assert read.has_plan
    assert (read.prompt, read.thread_id) == ("-", thread or "")


def test_the_prompt_stays_out_of_the_process_list(paths: Paths) -> None:
    assert not any("secret" in word for word in made(paths, spec("say secret")).argv)


def test_each_run_has_codex_databases_of_its_own(paths: Paths, tmp_path: Path) -> None:
    simulated = made(paths, spec())
    assert simulated.argv[0] == sys.executable
    assert simulated.env["CODEX_HOME"] == str(paths.agent_home("simulated"))
    real = made(paths, spec(agent=Agent.CODEX, codex_bin=executable(tmp_path / "codex")))
    assert real.argv[:2] == (str(tmp_path / "codex"), "exec")
    assert real.env == {"CODEX_SQLITE_HOME": str(paths.home / "runs/abc/codex")}


names = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
plain = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20)
settings_ = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(names | st.text(max_size=5), inner, max_size=3)
    ),
)


@given(st.dictionaries(names, settings_, max_size=4))
def test_settings_reach_codex_as_toml(config: dict[str, object]) -> None:
    assume(exposed_secrets.exposed(config) is None)
    written = module._settings(CodexSettings(config=config))
    for line, (key, value) in zip(written, config.items(), strict=True):
        assert tomllib.loads(line) == {key: value}


def _mark(paths: Paths) -> str:
    """Return the setting that keeps our mark, whatever the user's policy; it must be the last."""
    return f'shell_environment_policy.set.SWARM_MARK="{paths.attempt("abc", 2).path}"'


@pytest.mark.parametrize("level", ["trusted", "untrusted"])
def test_a_workspace_is_trusted_as_its_source_is(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    wish = spec(agent=Agent.CODEX, codex_bin=str(executable(tmp_path / "codex")))
    source = tmp_path / "sh.op"
    config = tmp_path / "config.toml"

    def settings(kind: WorkspaceKind, at: Path) -> list[str]:
        workspace = Workspace("/w/a.b", kind, str(at))
        _, found = options(made(paths, wish, workspace=workspace))
        return [one for one in found if one.startswith("projects=")]

    assert settings(WorkspaceKind.COPY, source) == []
    config.write_text(f'[projects."{source}"]\ntrust_level = "{level}"\n')
    wanted = [f'projects={{"/w/a.b"={{trust_level="{level}"}}}}']
    for kind in (WorkspaceKind.COPY, WorkspaceKind.WORKTREE):
        assert settings(kind, source) == wanted
        assert settings(kind, source / "below") == wanted
    assert settings(WorkspaceKind.IN_PLACE, source) == []
    assert settings(WorkspaceKind.COPY, tmp_path) == []
    for odd in ("no toml [", "projects = 1", f'projects."{source}" = 2'):
        config.write_text(odd)
        assert settings(WorkspaceKind.COPY, source) == []
