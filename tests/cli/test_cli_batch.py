"""Batches on the command line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import msgspec
import pytest
from typed import Swarm

from tui.cli import json as shapes

SIMULATED = ("--agent", "simulated")
MINE = """description: Writes what it is told
params:
  path: {type: path}
title: "write {{ path }}"
prompt: "sim: write {{ path }}.txt x"
verify: test ! -f b.txt
"""


@pytest.fixture(autouse=True)
def _repository(here: Path) -> None:
    own = ["-c", "user.name=me", "-c", "user.email=me@localhost"]
    for words in (
        ["init", "-q", "-b", "main"],
        [*own, "commit", "-q", "--allow-empty", "-m", "first"],
    ):
        subprocess.run(["git", *words], cwd=here, check=True)


@pytest.fixture
def mine(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "mine.yaml").write_text(MINE)


def test_plan_names_what_runs_like_these_took(swarm: Swarm) -> None:
    asked = ("batch", "sim: say hi", "--count", "5", "--empty", *SIMULATED)
    assert swarm(*asked, "--dry-run", "--json").json["estimate"] is None
    assert swarm(*asked).code == 0
    plan = swarm(*asked, "--dry-run", "--json").json
    msgspec.convert(plan, shapes.BatchPlanJson, strict=True)
    assert (plan["estimate"]["runs"], plan["estimate"]["sample"]) == (5, 5)
    assert "5 runs like these take about " in swarm(*asked, "--dry-run").out


@pytest.mark.usefixtures("mine")
def test_six_runs_are_verified_ranked_compared_and_taken_home(swarm: Swarm, here: Path) -> None:
    asked = ("batch", "-t", "mine", "--matrix", "path=a,b,c", "--count", "2", *SIMULATED)
    plan = swarm(*asked, "--dry-run", "--json").json
    msgspec.convert(plan, shapes.BatchPlanJson, strict=True)
    assert (plan["runs"], plan["planned"][3]["title"]) == (6, "write b #2")
    assert swarm("ls", "--json").json == []
    done = swarm(*asked)
    assert done.code == 1
    assert "batch mine: 6 runs\n" in done.err
    assert "4 succeeded · 2 failed · 67% passed" in done.out
    assert done.out.count("VERIFY_FAILED") >= 2 and "next: swarm-tui batch apply mine" in done.out
    shown = swarm("batch", "show", "@last", "--json").json
    msgspec.convert(shown, shapes.BatchResultsJson, strict=True)
    assert [task["given"] for task in shown["tasks"]] == [{"path": n} for n in "abc"]
    assert shown["tasks"][1]["winner"] is None
    winner = shown["tasks"][0]["winner"]
    assert winner == shown["tasks"][0]["runs"][0]["id"]
    assert len(swarm("ls", "--batch", "mine", "--json").json) == 6
    compared = swarm("batch", "compare", "--json").json
    msgspec.convert(compared, list[shapes.ComparisonJson], strict=True)
    assert compared[0]["runs"][0]["changes"] == {"a.txt": "+1 −0"}
    assert "a.txt" in swarm("batch", "compare").out
    watched = swarm("watch", "--batch", "mine").out
    assert watched.endswith(swarm("batch", "show", "mine").out) and "\n\n  next: " in watched
    assert "Each was checked alone" in swarm("batch", "apply", "mine", "--check").err
    applied = swarm("batch", "apply", "mine", "--drop", "--yes")
    assert applied.code == 0, applied.err
    assert sorted(path.name for path in here.glob("*.txt")) == ["a.txt", "c.txt"]
    runs = {run["id"]: run for run in swarm("ls", "--json").json}
    gone = {run_id for run_id, run in runs.items() if run["workspace"]["in_trash"]}
    assert len(gone) == 4 and winner not in gone


def test_what_comes_of_it_can_be_exported(swarm: Swarm, here: Path) -> None:
    (here / "tasks.csv").write_text('n,prompt\n"a|b",sim: say hi\n"=1+1",sim: fail quota\n')
    words = ("--from", "tasks.csv", "--empty", "--name", "x", *SIMULATED)
    assert swarm("batch", *words, "--detach").out == "x\n"
    assert swarm("wait", "--batch", "x").code == 1
    assert swarm("watch", "--batch", "x").code == 1
    assert "| a\\|b | sim: say hi | 1 |" in swarm("batch", "report", "x").out
    assert swarm("batch", "report", "x", "-o", "out.csv").code == 0
    written = (here / "out.csv").read_text().splitlines()
    assert written[0].startswith("n,prompt,rank,run,title")
    assert written[2].startswith("'=1+1,")  # a spreadsheet is not to reckon with it
    told = json.loads(swarm("batch", "report", "x", "--format", "json").out)
    assert told["counts"]["succeeded"] == 1
    assert swarm("batch", "report", "x", "-o", "nowhere/x.md").code == 3
    listed = swarm("batch", "ls", "--json").json
    msgspec.convert(listed, list[shapes.BatchJson], strict=True)
    assert "50% passed" in swarm("batch", "ls").out
    assert swarm("batch", "retry", "x").code == 0
    assert swarm("retry", "--failed", "--batch", "x", "--detach").code == 0
    assert swarm("batch", "cancel", "x", "--json").code == 0
    assert swarm("cancel", "--batch", "x").code == 0
    assert swarm("batch", "drop", "x", "--yes").code == 0


def test_wrong_words_are_answered(swarm: Swarm, here: Path) -> None:
    (here / "rows.csv").write_text("path\nsrc\n../x\n")
    for words, code, said in (
        (("do it",), 2, "Choose the runs"),
        (("sho",), 2, "Or did you mean 'batch show'?"),
        (("--count", "2"), 2, "Missing argument 'PROMPT'"),
        (("x", "--matrix", "path"), 3, "KEY=a,b,c is needed"),
        (("x", "--count", "2000"), 2, "1<=x<=1000"),
        (("-t", "test", "--from", "rows.csv"), 3, "rows.csv:3: `path`"),
        (("show", "nobody"), 3, "BATCH_NOT_FOUND"),
        (("apply", "nobody"), 3, "BATCH_NOT_FOUND"),
        (("-t", "test", "--count", "2", "--copy", "/nowhere"), 3, "SOURCE_NOT_FOUND"),
    ):
        done = swarm("batch", *words, *(SIMULATED if words[0] not in ("show", "apply") else ()))
        assert (done.code, said in done.err) == (code, True), done.err
    assert swarm("ls", "--json").json == []
