"""`ls`, `show`, `logs`: what was, as text and as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
from pathlib import Path

import pytest
from support import spec
from typed import Swarm

from engine.config.paths import Paths
from engine.domain.events import StatusChanged
from engine.domain.model import Run, Status
from engine.domain.text import printable_name
from engine.store import codec
from engine.store.appending import AppendRequest
from engine.store.store import open_store
from tui.cli.main import run


@pytest.fixture
def three(simulated: Swarm) -> None:
    simulated("First\nsim: say one", "--project", "red")
    simulated("Second\nsim: fail context", "--project", "blue")
    simulated("Third\nsim: plan A | B\nsim: done 2\nsim: say three", "--project", "red")


def _titles(text: str) -> list[str]:
    return [line.split(" (simulated)")[0].split()[-1] for line in text.splitlines()[1:]]


def test_an_empty_home_has_an_empty_table(swarm: Swarm) -> None:
    done = swarm("ls")
    assert done.code == 0
    assert " ".join(done.out.split()) == "ID STATUS DONE ELAPSED CHANGES AGE PROJECT TITLE"
    assert done.err.startswith("No runs yet. Start one: `swarm-tui run PROMPT`.")
    assert swarm("ls", "--status", "failed").err == "No runs match.\n"
    done = swarm("ls", "--json")
    assert (done.json, done.err) == ([], "")


@pytest.mark.usefixtures("three")
def test_ls(swarm: Swarm) -> None:
    table = swarm("ls").out
    assert _titles(table) == ["Third", "Second", "First"]
    columns = {line.index("FAILED" if "ID" in line else "red") for line in table.splitlines()[1::2]}
    assert len(columns) == 1
    assert _titles(swarm("ls", "--status", "succeeded").out) == ["Third", "First"]
    assert _titles(swarm("ls", "--status", "failed", "--status", "queued").out) == ["Second"]
    assert _titles(swarm("ls", "--project", "red", "-n", "1").out) == ["Third"]
    assert _titles(swarm("ls", "--batch", "none").out) == []


@pytest.mark.usefixtures("three")
def test_ls_json(swarm: Swarm) -> None:
    done = swarm("ls", "--json")
    assert done.out.count("\n") == 1
    assert [run["title"] for run in done.json] == ["Third", "Second", "First"]
    assert [run["progress"] for run in done.json] == [100, 30, 100]
    assert done.json[1]["error"]["code"] == "CONTEXT_WINDOW_EXCEEDED"


@pytest.mark.usefixtures("three")
def test_show(swarm: Swarm) -> None:
    run = swarm("ls", "--json").json[0]
    shown = swarm("show", run["id"][:-1]).out
    facts = dict(line.split(None, 1) for line in shown.splitlines() if not line.startswith(" "))
    assert facts["id"] == run["id"]
    assert facts["status"] == "succeeded"
    assert facts["plan"] == "[x] A"
    assert swarm("show", "@last", "--json").json == {**run, "forecast": []}
    failed = swarm("show", swarm("ls", "--json").json[1]["id"])
    assert (failed.code, failed.err.splitlines()[-1].split()[0]) == (0, "CONTEXT_WINDOW_EXCEEDED")


@pytest.mark.usefixtures("three")
def test_an_ambiguous_run_lists_what_it_could_mean(swarm: Swarm) -> None:
    ids = [run["id"] for run in swarm("ls", "--json").json]
    done = swarm("show", ids[0][:3])
    assert done.code == 3
    assert all(run_id in done.err for run_id in ids)
    assert "RUN_AMBIGUOUS" in done.err


def test_logs(simulated: Swarm, swarm: Swarm) -> None:
    simulated(
        r"sim: command make takes=0 output='1\n2\n3\n4\n5\n6\n7\n8\n9'" + "\nsim: stderr oh dear"
    )
    told = swarm("logs", "@last").out
    assert [line.strip() for line in told.splitlines() if line.strip().isdigit()] == list(
        "123456789"
    )
    raw = swarm("logs", "@last", "--raw").out.splitlines()
    assert json.loads(raw[0])["type"] == "thread.started"
    assert swarm("logs", "@last", "--stderr").out.startswith("oh dear\n")


def test_now_and_then_nothing_was_written(simulated: Swarm, swarm: Swarm, paths) -> None:
    simulated("sim: say x")
    run = swarm("show", "@last", "--json").json
    paths.attempt(run["id"], 1).stdout.unlink()
    done = swarm("logs", "@last", "--raw")
    assert done.code == 3
    assert "has written nothing yet" in done.err


def test_get_writes_where_it_is_told(simulated: Swarm, swarm: Swarm, here: Path) -> None:
    simulated("sim: write src/a.txt one")
    (here / "kept").mkdir()
    for target in ("b.txt", "kept"):
        done = swarm("get", "@last", "src/a.txt", "-o", target)
        assert (done.code, done.out, done.err) == (0, "", "")
    assert (here / "b.txt").read_text() == (here / "kept/a.txt").read_text() == "one\n"
    for words, told in (
        (["src/a.txt", "-o", "no/such/folder"], "no/such/folder cannot be written: No such file"),
        (["src/b.txt"], "src/b.txt cannot be read."),
        (["../../swarm.db"], "../../swarm.db cannot be read."),
    ):
        done = swarm("get", "@last", *words)
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith(f"Error: {told}")


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are UTF-8")
def test_names_that_are_no_utf8_are_listed_read_and_compared(
    simulated: Swarm, swarm: Swarm
) -> None:
    simulated("sim: say x")
    odd = os.fsdecode(b"d\xff/f\xfe\n.txt")
    path = Path(swarm("show", "@last", "--json").json["workspace"]["path"]) / odd
    path.parent.mkdir()
    path.write_text("one\n")
    (file,) = swarm("files", "@last", os.path.dirname(odd), "--json").json
    assert file["path"] == odd
    assert swarm("get", "@last", file["path"]).out == "one\n"
    assert "+one\n" in swarm("diff", "@last", file["path"]).out


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are UTF-8")
def test_names_can_be_given_as_they_are_printed(simulated: Swarm, swarm: Swarm, here: Path) -> None:
    simulated("sim: say x")
    root = Path(swarm("show", "@last", "--json").json["workspace"]["path"])
    names = [
        b"caf\xe9.txt",
        b"d\xff/f\xfe",
        b"a\nb\t",
        b"\x1b[31m",
        "\u202ex\x85".encode(),
        rb"a\xe9",
    ]
    for name in names:
        path = root / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(repr(name))
    shown = [printable_name(os.fsdecode(name)) for name in names]
    assert swarm("files", "@last", r"d\xff").out.split()[-1] == r"f\xfe"
    for name, text in zip(names, shown, strict=True):
        assert swarm("get", "@last", text, "-o", "got").code == 0
        assert (here / "got").read_text() == repr(name)
    assert "caf" in swarm("diff", "@last", shown[0]).out
    missing = swarm("get", "@last", r"no\xe9")
    assert (missing.code, missing.err.split(" cannot")[0]) == (3, r"Error: no\xe9")


def test_runs_of_a_newer_version_are_shown_and_waited_for(
    simulated: Swarm, swarm: Swarm, paths: Paths
) -> None:
    simulated("sim: say x")
    simulated("sim: say y")
    older, newer = (run["id"] for run in swarm("ls", "--json").json)
    with sqlite3.connect(paths.database) as db:
        for column, name, value in (
            ("state", "$.status", "hibernating"),
            ("state", "$.stage", "dreaming"),
            ("spec", "$.agent", "orchestra"),
            ("spec", "$.sandbox", "bubble"),
        ):
            db.execute(
                f"UPDATE runs SET {column} = json_set({column}, ?, ?) WHERE id = ?",
                (name, value, newer),
            )
        db.execute("UPDATE runs SET status = 'hibernating' WHERE id = ?", (newer,))
        db.execute(
            "INSERT INTO events (run, seq, at, attempt, type, data)"
            " SELECT key, 900, 1.0, 1, 'telepathy', '{\"said\": \"hm\"}' FROM runs WHERE id = ?",
            (newer,),
        )
    db.close()
    assert [run["status"] for run in swarm("ls", "--json").json] == ["succeeded", "hibernating"]
    assert "hibernating" in swarm("ls").out
    for words, told in (
        (["show", newer], "orchestra"),
        (["show", newer, "--json"], "bubble"),
        (["logs", newer], "telepathy"),
        (["logs", newer, "--json"], "telepathy"),
        (["search", "say"], older),
        (["du"], newer),
        (["files", newer], ""),
        (["diff", newer], ""),
    ):
        done = swarm(*words)
        assert (done.code, done.err, told in done.out) == (0, "", True)
    for words in (
        ["wait", newer],
        ["wait", "--all"],
        ["watch", newer],
        ["logs", newer, "--follow"],
    ):
        assert "Traceback" not in swarm(*words).err
    for words, code in (
        (["cancel", newer], "RUN_NOT_CANCELLABLE"),
        (["retry", newer], "RUN_NOT_RETRYABLE"),
        (["resume", newer, "on"], "RUN_NOT_RETRYABLE"),
    ):
        assert code in swarm(*words).err
    assert swarm("cleanup", newer, "--force").code in (0, 3)
    assert Path(swarm("show", newer, "--json").json["workspace"]["path"]).is_dir()
    with sqlite3.connect(paths.database) as db:
        db.execute("UPDATE runs SET status = 'failed'")
    db.close()


def test_ls_reads_no_more_than_it_shows(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fill() -> None:
        async with open_store(paths.database) as store:
            for number in range(200):
                done = await store.create(spec(title=f"Run {number}"), [])
                ends = [AppendRequest(run, [StatusChanged(Status.CANCELLED)]) for run in done.runs]
                await store.append(ends)

    paths.prepare()
    asyncio.run(fill())
    read: list[str] = []
    decode = codec.run_from

    def count(*row: str, is_one_of_many: bool = False) -> Run:
        read.append(row[0])
        return decode(*row, is_one_of_many=is_one_of_many)

    monkeypatch.setattr(codec, "run_from", count)
    assert run(["ls"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 51
    assert len(read) == 51  # one more, to know that there are more
    assert run(["ls", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 200
    read.clear()
    assert run(["show", "@last"]) == 0
    assert len(read) == 1
