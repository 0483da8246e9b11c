"""Programs and Python modules are never taken from the current folder, whatever is in a PATH."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from pseudo import Opener
from typed import Swarm

from engine.system import environment, programs

PROGRAMS = ("codex", "git", "gh", "vi", "nano", "vim", "sh", "tmux", "ps", "less", "bwrap", "env")
MODULES = (
    *("__future__", "json", "re", "typing", "pathlib", "asyncio", "yaml", "click", "msgspec"),
    *("textual", "rich", "psutil", "aiosqlite", "platformdirs", "jinja2", "codex_cli_bin"),
    *("engine", "tui", "swarm_tui", "httpx2", "apprise", "keyring", "textual_serve"),
)


@pytest.fixture
def trap(here: Path, tmp_path: Path) -> Path:
    """Plant programs and modules; return the file that each of them would write."""
    caught = tmp_path / "caught"
    for folder in (here, here / "bin", here / "lib"):
        folder.mkdir(exist_ok=True)
        for name in PROGRAMS:
            (folder / name).write_text(f'#!/bin/sh\necho "$0" >>{caught}\n')
            (folder / name).chmod(0o755)
        for name in MODULES:
            (folder / f"{name}.py").write_text(f"open({str(caught)!r}, 'a').write('{name}')\n")
    return caught


def _hostile(here: Path, kind: str) -> dict[str, str]:
    rest = os.environ["PATH"]
    return {
        "relative": {"PATH": f".:bin:./bin:{rest}", "PYTHONPATH": ".:lib"},
        "empty": {"PATH": f":{rest}::", "PYTHONPATH": ":"},
        "absolute": {"PATH": f"{here}:{rest}", "PYTHONPATH": f"{here}"},
    }[kind]


@pytest.mark.parametrize("kind", ["relative", "empty", "absolute"])
def test_nothing_planted_runs(swarm: Swarm, here: Path, trap: Path, kind: str) -> None:
    hostile = _hostile(here, kind)
    (here / ".git").mkdir()
    doctor = swarm("doctor", "--json", **hostile)
    assert "findings" in doctor.json
    run = ("run", "--empty", "--agent", "simulated", "--json", "--verify", "git --version")
    assert swarm(*run, "sim: say hello", **hostile).code == 0
    detached = ("run", "--detach", "--copy", ".", "--agent", "simulated")
    assert swarm(*detached, "sim: say hello", **hostile).code == 0
    assert swarm("wait", "@last", **hostile).code == 0
    assert not trap.exists(), trap.read_text()


@pytest.mark.parametrize("name", ["./vi", "bin/vi", "vi"])
def test_no_editor_of_the_current_folder_is_started(
    terminal: Opener, simulated: Swarm, here: Path, trap: Path, tmp_path: Path, name: str
) -> None:
    simulated("sim: say first")
    empty = tmp_path / "empty"
    empty.mkdir()
    shown = terminal("resume", "@last", EDITOR=name, PATH=f".:bin::{empty}")
    assert shown.end() == 3
    assert "EDITOR_MISSING" in shown.text
    assert not trap.exists(), trap.read_text()


def test_children_get_no_current_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    hostile = f".::bin:{tmp_path}:{link}:{tmp_path}/:/usr/bin:~/bin:"
    for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "NODE_PATH", "PERL5LIB"):
        monkeypatch.setenv(name, hostile)
    for build in (
        environment.workspace_environment,
        environment.agent_environment,
        environment.own_environment,
    ):
        found = build()
        assert found["PATH"] == found["PYTHONPATH"] == found["LD_LIBRARY_PATH"] == "/usr/bin"
    monkeypatch.setenv("PATH", ".")
    assert environment.workspace_environment()["PATH"] == os.defpath
    assert programs.find("sh") in ("/bin/sh", "/usr/bin/sh")
    assert programs.find("./sh") is None
    assert programs.find(sys.executable) == sys.executable
