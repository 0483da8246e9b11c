"""Several runs applied on the command line: one that does not fit keeps no other out."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
import repos
from typed import Swarm

from tui.cli import json as shapes

TEXTS = (
    "write a.txt first",
    "write b.txt b",
    "write a.txt third",
    "write c.txt c",
    "write d.txt d",
)


@pytest.fixture
def five(swarm: Swarm, here: Path) -> list[str]:
    """The ids of five runs, of which the first and the third change the same lines."""
    here.rmdir()
    repos.repository(here)
    words = ("run", "--agent", "simulated", "--detach")
    ids = [swarm(*words, f"sim: {text}").out.strip() for text in TEXTS]
    assert swarm("wait", *ids).code == 0
    return ids


def test_a_conflict_in_the_middle_of_five_is_passed_over(
    inside: Swarm, here: Path, five: list[str]
) -> None:
    assert inside("apply", *five, "--check").code == 0, "each fits alone"
    done = inside("apply", *five)
    assert done.code == 1
    lines = done.out.splitlines()
    assert [line[0] for line in lines] == ["✓", "✓", "✗", "✓", "✓"]
    assert lines[2].startswith(f"✗ {five[2]} does not fit: a.txt (")
    assert done.err == "4 of 5 applied, 1 did not fit; --resolve asks the agent of each\n"
    assert sorted(path.name for path in here.glob("?.txt")) == ["a.txt", "b.txt", "c.txt", "d.txt"]
    assert (here / "a.txt").read_text().strip() == "first"
    rest = inside("apply", *five, "--json")
    rows = [msgspec.convert(row, shapes.AppliedJson, strict=True) for row in rest.events]
    assert rest.code == 1
    assert [row.outcome for row in rows] == [
        *("applied", "applied", "conflict", "applied", "applied"),
    ]
    assert rows[2].reason is not None and rows[2].reason.code == "APPLY_CONFLICT"
    assert [conflict.path for conflict in rows[2].conflicts] == ["a.txt"]
    assert not rows[0].files, "all of it is there already"
    alone = inside("apply", five[2])
    assert (alone.code, "APPLY_CONFLICT" in alone.err) == (3, True)


def test_a_run_without_its_workspace_is_skipped_with_the_reason(
    inside: Swarm, here: Path, five: list[str]
) -> None:
    gone = Path(inside("show", five[1], "--json").json["workspace"]["path"])
    shutil.rmtree(gone)
    done = inside("apply", five[0], five[1], five[3], "--json")
    assert done.code == 1
    assert [row["outcome"] for row in done.events] == ["applied", "skipped", "applied"]
    assert done.events[1]["reason"]["code"] == "WORKSPACE_MISSING"
    assert (here / "c.txt").exists() and not (here / "b.txt").exists()
