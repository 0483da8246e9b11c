"""Submodules on the command line: what edits do not bring is named, and is no success."""

from __future__ import annotations

from pathlib import Path

import repos
from typed import Swarm

FILE = ("-c", "protocol.file.allow=always")


def test_edits_that_leave_a_submodule_exit_with_one(swarm: Swarm, tmp_path: Path) -> None:
    library = repos.repository(tmp_path / "library", {"code.c": "1\n"})
    source = repos.repository(tmp_path / "source")
    repos.git(source, *FILE, "submodule", "add", "-q", str(library), "lib")
    repos.commit(source, "lib")
    run = ("run", "--worktree", str(source), "--agent", "simulated", "--json")
    assert swarm(*run, "sim: write a.txt two").code == 0
    root = Path(swarm("show", "@last", "--json").json["workspace"]["path"])
    repos.git(root, *FILE, "submodule", "update", "-q", "--init")
    repos.write(root, {"lib/code.c": "2\n"})
    repos.commit(root / "lib", "two")
    for more in (("--check",), ()):
        done = swarm("apply", "@last", "--as", "edits", "--json", *more)
        assert (done.code, done.json["submodules_left"]) == (1, ["lib"])
    assert (source / "lib" / "code.c").read_text() == "2\n"
    merged = swarm("apply", "@last", "--as", "merge", "--to", str(source))
    assert merged.code in (0, 4), merged.err
