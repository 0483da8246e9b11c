"""A shell script with nothing but documented output, and every example of every command."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from typed import ROOT, Swarm

from engine.config.paths import Paths
from tui.cli.main import COMMANDS, group

SCRIPT = ROOT / "docs/examples/swarm.sh"
PATIENCE_S = 840
OPERATORS = {"<", ">", ">>", "|", "&"}


def _examples(command: click.Command) -> list[str]:
    return re.findall(r"^  swarm-tui ?(.*)$", command.epilog or "", re.M)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_command_has_examples_that_it_understands(name: str) -> None:
    context = click.Context(group, info_name="swarm-tui")
    command = group.get_command(context, name) if name else group
    assert command
    found = _examples(command)
    assert found
    for example in found:
        lexer = shlex.shlex(example, posix=True, punctuation_chars="<>|&")
        lexer.whitespace_split = True
        words = list(lexer)
        end = next((at for at, word in enumerate(words) if word in OPERATORS), len(words))
        if words[:1] not in ([], [name]):
            assert name == "", example
        if words:
            inner = group.get_command(context, words[0])
            assert inner
            inner.make_context(words[0], words[1:end], parent=context)


@pytest.fixture
def program(tmp_path: Path) -> str:
    """A PATH on which there is `swarm-tui`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "swarm-tui"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/swarm_tui.py "$@"\n')
    command.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_runs(here: Path, paths: Paths, program: str, swarm: Swarm, tmp_path: Path) -> None:
    paths.config.write_text("slots: 8\nqueue: {stagger_s: 0}\n")
    (tasks := tmp_path / "tasks").mkdir()
    for number in range(20):
        lines = [f"Task {number}", f"sim: write {number:02}.txt done", "sim: say done"]
        if number % 5 == 0:
            lines[1:1] = ["sim: attempt 1", "sim: crash", "sim: end"]
        if number == 13:
            lines[1:] = ["sim: attempt 1+", "sim: fail quota", "sim: end"]
        (tasks / f"{number:02}.md").write_text("\n".join(lines))
    done = subprocess.run(
        ["sh", str(SCRIPT), str(tasks), "--agent", "simulated", "--copy", "."],
        cwd=here,
        env={**os.environ, "PATH": program},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert (here / "00.txt").read_text() == "done\n", done
    written = sorted(path.name for path in here.iterdir())
    assert written == [f"{number:02}.txt" for number in range(20) if number != 13], done
    (failed,) = swarm("ls", "-q", "--status", "failed").out.split()
    assert f"{failed} needs you: swarm-tui show {failed}" in done.stderr
    assert done.stderr.count("not all succeeded") == 2
    assert done.returncode == 1
    runs = {run["title"]: run for run in swarm("ls", "--json").json}
    again = {title for title, run in runs.items() if run["attempts"] == 2}
    assert again == {f"Task {number}" for number in (0, 5, 10, 13, 15)}
    assert swarm("ls", "-q").out.split() == [run["id"] for run in swarm("ls", "--json").json]
