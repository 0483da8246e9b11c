"""No program and no module of ours is taken from a folder that an agent can write."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from typed import ROOT, Swarm

from engine.domain.errors import UserError
from engine.system import environment, programs
from engine.workspaces.create.isolation import check_apart

CAUGHT = '#!/bin/sh\necho "$0" >>"{caught}"\nexec {real} "$@"\n'
MODULES = ("yaml", "click", "msgspec", "aiosqlite", "json", "textual")


def test_no_program_or_module_of_the_folder_a_run_works_in(
    swarm: Swarm, here: Path, tmp_path: Path
) -> None:
    caught, git = tmp_path / "caught", shutil.which("git")
    assert git
    path = {"PATH": f"{here / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(here / "src")}
    for name in ("bin", "src"):
        (here / name).mkdir()
    started = swarm("run", "--in-place", ".", "--agent", "simulated", "sim: write a b", **path)
    assert started.code == 0, started.err
    # What an agent in Codex's sandbox does: the stand-in cannot make a file executable.
    (here / "bin" / "git").write_text(CAUGHT.format(caught=caught, real=git))
    (here / "bin" / "git").chmod(0o755)
    for name in MODULES:
        (here / "src" / f"{name}.py").write_text(f"open({str(caught)!r}, 'a').write('{name}')\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for words in (["diff", "@last"], ["doctor", "--json"], ["apply", "@last", "--check"], ["du"]):
        swarm(*words, cwd=elsewhere, **path)
    again = ("run", "--in-place", str(here), "--agent", "simulated")
    assert swarm(*again, "sim: write c d", cwd=elsewhere, **path).code == 0
    assert not caught.exists(), caught.read_text()


def test_a_link_to_a_program_that_an_agent_can_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    theirs, own = tmp_path / "project", tmp_path / "own"
    for folder in (theirs, own):
        folder.mkdir()
    (theirs / "codex").write_text("#!/bin/sh\n")
    (theirs / "codex").chmod(0o755)
    (own / "codex").symlink_to(theirs / "codex")
    monkeypatch.setenv("PATH", f"{own}:/usr/bin:/bin")
    assert programs.find("codex") == str(own / "codex")
    monkeypatch.setattr(environment, "_written_by_agents", {str(theirs)})
    assert programs.find("codex") is None
    assert programs.find("sh")


@pytest.mark.parametrize("folder", [ROOT, ROOT.parent, ROOT / "engine"])
def test_nobody_works_in_place_where_this_program_lies(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"(program of swarm-tui|home of (swarm-tui|Codex))"):
        check_apart(folder, tmp_path)
    check_apart(folder, tmp_path, may_contain=True)


def test_a_supervisor_in_the_background_loads_no_module_of_an_agent(
    swarm: Swarm, here: Path, tmp_path: Path
) -> None:
    caught = tmp_path / "caught"
    line = f"import sys; print(*sys.orig_argv, file=open({str(caught)!r}, 'a'))\n"
    (here / "sitecustomize.py").write_text(line)
    work = ("run", "--in-place", ".", "--agent", "simulated", "--detach")
    assert swarm(*work, "sim: say one", PYTHONPATH=str(here)).code == 0
    assert swarm("wait", "@last", PYTHONPATH=str(here)).code == 0
    typed = caught.read_text().splitlines()  # Python loads it before the first line of ours
    assert len(typed) == 2
    assert not [one for one in typed if "supervise" in one or "simulated/" in one]
