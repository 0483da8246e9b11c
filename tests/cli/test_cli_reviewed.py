"""`reviewed`: the changed files of a run, marked as reviewed until they change."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typed import Swarm

from tui.cli import json as shapes


@pytest.fixture
def run_id(simulated: Swarm) -> str:
    """The id of a run that wrote three files."""
    script = "\n".join(f"sim: write {name} x" for name in ("a.py", "docs/b.md", "docs/c.md"))
    return simulated(script, "--json").events[0]["run"]


def marked(swarm: Swarm, run_id: str) -> list[str]:
    found = msgspec.convert(
        swarm("reviewed", run_id, "--json").json, list[shapes.MarkedFileJson], strict=True
    )
    return [one.path for one in found if one.is_reviewed]


def test_marks_are_set_listed_and_removed(swarm: Swarm, run_id: str) -> None:
    assert swarm("reviewed", run_id).out.endswith("0 of 3 files reviewed\n")
    done = swarm("reviewed", run_id, "docs", "--mark", "--json").json
    assert [one["path"] for one in done] == ["docs/b.md", "docs/c.md"]
    assert marked(swarm, run_id) == ["docs/b.md", "docs/c.md"]
    assert "reviewed  docs/b.md\n" in swarm("reviewed", run_id).out
    swarm("reviewed", run_id, "./docs/b.md", "--unmark")
    assert marked(swarm, run_id) == ["docs/c.md"]
    assert swarm("reviewed", run_id, ".", "--mark").out.endswith("3 of 3 files reviewed\n")
    shown = swarm("show", run_id, "--json").json
    assert [one["path"] for one in shown["reviewed_files"]] == ["docs/c.md", "a.py", "docs/b.md"]


def test_mark_ends_when_the_file_changes(swarm: Swarm, run_id: str) -> None:
    swarm("reviewed", run_id, ".", "--mark")
    workspace = Path(swarm("show", run_id, "--json").json["workspace"]["path"])
    (workspace / "a.py").write_text("changed")
    assert marked(swarm, run_id) == ["docs/b.md", "docs/c.md"]


def test_unchanged_file_is_refused_and_nothing_is_marked(swarm: Swarm, run_id: str) -> None:
    done = swarm("reviewed", run_id, "a.py", "other.py", "--mark")
    assert (done.code, "has not changed other.py" in done.err) == (3, True)
    assert marked(swarm, run_id) == []


def test_flags_that_contradict_are_refused(swarm: Swarm, run_id: str) -> None:
    assert swarm("reviewed", run_id, "a.py", "--mark", "--unmark").code == 2
    assert swarm("reviewed", run_id, "--mark").code == 2


def test_diff_since_a_checkpoint_shows_later_changes_only(swarm: Swarm, run_id: str) -> None:
    last = swarm("restore", run_id, "--json").json[-1]["n"]
    workspace = Path(swarm("show", run_id, "--json").json["workspace"]["path"])
    (workspace / "a.py").write_text("later\n")
    assert len(swarm("diff", run_id, "--json").json["changes"]) == 3
    since = swarm("diff", run_id, "--since", str(last), "--json").json["changes"]
    assert [one["path"] for one in since] == ["a.py"]
    assert "+later" in swarm("diff", run_id, "--since", str(last)).out
    assert swarm("diff", run_id, "--since", str(last), "--against", run_id).code == 2
