"""The set-up of docs/cluster.md, line by line, with all three machines on loopback."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typed import COMMAND, ROOT

from engine.config.paths import Paths

PAGE = ROOT / "docs/cluster.md"
BLOCK = re.compile(r"<!-- The set-up: .*?```sh\n(.*?)```", re.DOTALL)
LIMIT_S = 120
TASK = "'Keep the cents in total()'"
SIMULATED = "--agent simulated 'sim: write prices.py done'"


def lines() -> list[str]:
    """Return the lines of the set-up, without the names of the machines."""
    found = BLOCK.search(PAGE.read_text("utf-8"))
    assert found
    return [line for line in found[1].splitlines() if not line.startswith("#")]


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Shell:
    """A shell on which the lines are typed; what they leave in the background ends with it."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder, self._log = folder, home / "background.txt"
        programs = home / "bin"
        programs.mkdir(parents=True)
        command = programs / "swarm-tui"
        command.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
        command.chmod(0o755)
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        self._env = {**os.environ, "HOME": str(home), "PATH": path}
        self._started: list[subprocess.Popen[bytes]] = []

    def type(self, line: str) -> str:
        """Type a line, and return what it prints."""
        if line.endswith(" &"):
            with self._log.open("ab") as log:
                process = subprocess.Popen(
                    ["sh", "-c", f"exec {line.removesuffix(' &')}"],
                    stdout=log,
                    stderr=log,
                    cwd=self._folder,
                    env=self._env,
                )
            self._started.append(process)
            return ""
        done = subprocess.run(
            ["sh", "-c", line],
            capture_output=True,
            text=True,
            cwd=self._folder,
            env=self._env,
            timeout=LIMIT_S,
        )
        # The doctor finds no login of Codex here.
        assert done.returncode == 0 or line.endswith("doctor"), (
            f"{line}\n{done.stdout}{done.stderr}"
        )
        return done.stdout

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what the processes in the background do."""
        end = time.monotonic() + LIMIT_S
        while not holds():
            assert time.monotonic() < end, self._log.read_text(errors="replace")
            time.sleep(0.2)

    @property
    def background(self) -> str:
        """Return what the processes in the background have printed."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def close(self) -> None:
        for process in reversed(self._started):
            for _ in range(2):  # the second one ends the runs of a node
                process.terminate()
            process.wait(LIMIT_S)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "prices.py").write_text("def total(): ...\n")
    me = ["-c", "user.name=me", "-c", "user.email=me@localhost"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "Add prices"]):
        subprocess.run(["git", *me, *words], cwd=folder, check=True)
    return folder


@pytest.fixture
def shell(repository: Path, tmp_path: Path) -> Iterator[Shell]:
    found = Shell(repository, tmp_path / "user")
    yield found
    found.close()


@pytest.mark.slow
def test_the_set_up_of_the_page_works_line_by_line(
    shell: Shell, repository: Path, tmp_path: Path, paths: Paths
) -> None:
    port = free_port()
    certificates = tmp_path / "user/certs"
    printed: dict[str, str] = {}
    for line in lines():
        if line.startswith("scp "):
            for name in re.findall(r"certs/([\w.-]+)", line):
                assert (certificates / name).is_file(), line
            continue
        typed = line.replace("192.0.2.7:8786", f"127.0.0.1:{port}").replace(TASK, SIMULATED)
        if "cluster scheduler" in typed:
            typed = typed.replace("cluster scheduler", f"cluster scheduler --port {port}")
        if "swarm-tui node " in typed:
            shell.until(lambda: "scheduler at" in shell.background)
            typed = typed.replace("swarm-tui node ", f"swarm-tui node --root {tmp_path}/n1 ")
        if typed.endswith("doctor"):
            shell.until(lambda: "joined" in shell.background)
        printed[line] = shell.type(typed)
    assert len(lines()) == 10
    assert f"tls://127.0.0.1:{port}" in paths.config.read_text()
    assert "1 of 1 nodes ready" in printed["swarm-tui doctor"]
    assert re.search(r"^n1 +ready", printed["swarm-tui nodes"], re.MULTILINE)
    assert (repository / "prices.py").read_text().strip() == "done"
