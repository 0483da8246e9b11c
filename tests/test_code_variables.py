"""Variables that load code into a program name nothing that an agent can write."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from support import played, supervising

from engine.config.paths import Paths
from engine.domain.model import Agent, WorkspaceKind, WorkspaceSpec
from engine.system import environment
from engine.system.code_variables import without_unsafe
from engine.system.environment import own_environment
from engine.workspaces.git.git import Git

HERE = "/ws"


def _kept(name: str, value: str) -> str | None:
    def is_written(path: str) -> bool:
        return f"{os.path.normpath(path)}/".startswith(f"{HERE}/")

    return without_unsafe({name: value}, is_written).get(name)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("PYTHONPATH", "/ws/src:/usr/lib/more:lib::.", "/usr/lib/more"),
        ("PYTHONPATH", "/ws", None),
        ("PERL5LIB", "/opt/perl:/ws/lib", "/opt/perl"),
        ("NODE_PATH", "node_modules", None),
        ("LD_LIBRARY_PATH", "/opt/lib:/opt/../ws", "/opt/lib"),
        ("BASH_ENV", "env.sh", None),
        ("PYTHONPYCACHEPREFIX", "/ws/cache", None),
        ("PYTHONUSERBASE", "/ws/base", None),
        ("OPENSSL_CONF", "/ws/openssl.cnf", None),
        ("GIT_CONFIG_GLOBAL", "/ws/gitconfig", None),
        ("LD_PRELOAD", "libjemalloc.so.2 /ws/x.so", None),
        ("LD_PRELOAD", "./x.so", None),
        ("NODE_OPTIONS", "--max-old-space-size=4096 --require /ws/x.js", None),
        ("NODE_OPTIONS", "--require=./x.js", None),
        ("NODE_OPTIONS", "--require hook", None),
        ("NODE_OPTIONS", "-r hook", None),
        ("NODE_OPTIONS", "--import=file:///ws/x.mjs", None),
        ("NODE_OPTIONS", '--require "/ws/x.js"', None),
        ("NODE_OPTIONS", "--experimental-loader=hook", None),
        ("PERL5OPT", "-I/ws -MEvil", None),
        ("PERL5OPT", "-Mlib=lib", None),
        ("PERL_USE_UNSAFE_INC", "1", None),
        ("RUBYOPT", "-r./x", None),
        ("RUBYOPT", "-Ilib", None),
        ("JAVA_TOOL_OPTIONS", "-javaagent:x.jar", None),
        ("GIT_SSH_COMMAND", "/ws/ssh -v", None),
        ("GIT_SSH", "tools/ssh", None),
    ],
)
def test_code_of_an_agent_is_left_out(name: str, value: str, kept: str | None) -> None:
    assert _kept(name, value) == kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PYTHONPATH", "/usr/lib/more"),
        ("LD_PRELOAD", "libjemalloc.so.2 /usr/lib/libeatmydata.so"),
        ("NODE_OPTIONS", "--max-old-space-size=4096 --use-openssl-ca --dns-result-order=ipv4first"),
        ("NODE_OPTIONS", "--require /opt/hook.js"),
        ("PERL5OPT", "-w -MCarp"),
        ("RUBYOPT", "-W0"),
        ("GIT_SSH_COMMAND", "ssh -i ~/.ssh/key -o BatchMode=yes"),
        ("GIT_CONFIG_GLOBAL", ""),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("PWD", "/ws"),
        ("VIRTUAL_ENV", "/ws/.venv"),
    ],
)
def test_all_else_stays(name: str, value: str) -> None:
    assert _kept(name, value) == value


PROGRAM = """#!{python}
import json, os, sys
json.dump([sys.argv[1:], dict(os.environ)], open({dump!r}, "w"))
print('{{"type":"turn.completed","usage":{{}}}}')
"""


@pytest.mark.parametrize("kind", [WorkspaceKind.IN_PLACE, WorkspaceKind.COPY])
async def test_codex_loads_nothing_from_the_folder_of_its_run(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: WorkspaceKind
) -> None:
    source, caught, dump = tmp_path / "source", tmp_path / "caught", tmp_path / "dump"
    source.mkdir()
    for name in ("sitecustomize", "usercustomize"):
        (source / f"{name}.py").write_text(f"open({str(caught)!r}, 'a').write('x')\n")
    codex = tmp_path / "codex"
    codex.write_text(PROGRAM.format(python=sys.executable, dump=str(dump)))
    codex.chmod(0o755)
    (tmp_path / "link").symlink_to(source)
    monkeypatch.setenv("PYTHONPATH", f"{source}:{tmp_path / 'link'}:/usr/lib/none")
    monkeypatch.setenv("NODE_OPTIONS", f"--require {source}/x.js")
    async with supervising(paths) as engine:
        workspace = WorkspaceSpec(kind, str(source))
        run = await played(engine, agent=Agent.CODEX, codex_bin=str(codex), workspace=workspace)
    assert run.error is None
    assert not caught.exists()
    words, env = json.loads(dump.read_text())
    assert env["PYTHONPATH"] == "/usr/lib/none" and "NODE_OPTIONS" not in env
    # The commands of the agent, which run in the sandbox, find them as the user set them.
    value = json.dumps(f"{source}:{tmp_path / 'link'}:/usr/lib/none")
    assert f"shell_environment_policy.set.PYTHONPATH={value}" in words
    assert any(one.startswith("shell_environment_policy.set.NODE_OPTIONS=") for one in words)


async def test_our_own_processes_load_nothing_from_where_agents_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    monkeypatch.setattr(environment, "_written_by_agents", {str(theirs)})
    monkeypatch.setenv("PYTHONPATH", f"{theirs}:/usr/lib/none")
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{theirs}")
    assert own_environment()["PYTHONPATH"] == "/usr/lib/none"
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "git").write_text(f"#!/bin/sh\nenv >{tmp_path}/git.env\n")
    (bin_folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    await Git(tmp_path).ask("version")
    assert str(theirs) not in (tmp_path / "git.env").read_text()
