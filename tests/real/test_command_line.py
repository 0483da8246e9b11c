"""The product's own command line with the real Codex, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from house import ROOT, House, files
from loopback import (
    LoopbackServer,
    add_file,
    codex_binary,
    command,
    message,
    patch,
    plan,
    reasoning,
    together,
    unauthorized,
    update_file,
)

Json = dict[str, Any]
SWARM = (sys.executable, str(ROOT / "swarm_tui.py"))
LIMIT_S = 60


@pytest.fixture
def here(lab: Path, house: House) -> Path:
    """The folder in which commands are typed."""
    folder = lab / "garden"
    folder.mkdir()
    return folder


def _swarm(here: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SWARM, *words],
        input=stdin,
        text=True,
        capture_output=True,
        cwd=here,
        timeout=LIMIT_S,
        check=False,
    )


def _codex_run(here: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return _swarm(
        here, "run", "--agent", "codex", "--codex-bin", codex_binary(), *words, stdin=stdin
    )


def test_run_prints_the_events_and_leaves_the_files(here: Path, server: LoopbackServer) -> None:
    script = [
        plan([("write", "in_progress")]),
        command("echo hello >said.txt"),
        patch(add_file("sub/a.txt", "x")),
        plan([("write", "completed")]),
        message("Done."),
    ]
    done = _codex_run(here, "--empty", "--json", f"Say hello {server.script('hello', script)}")
    assert (done.returncode, done.stderr) == (0, "")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    statuses = [event["status"] for event in events if event["type"] == "status"]
    assert statuses == ["queued", "preparing", "running", "succeeded"]
    assert events[-1]["exit_code"] == 0
    assert [event["percent"] for event in events if event["type"] == "progress"][-2:] == [80, 100]
    run = json.loads(_swarm(here, "show", "@last", "--json").stdout)
    assert (run["id"], run["status"], run["progress"]) == (events[0]["run"], "succeeded", 100)
    assert (run["project"], run["agent"], run["tokens"]["input"]) == ("garden", "codex", 5000)
    made = {"said.txt": "hello\n", "sub/a.txt": "x\n"}
    assert files(Path(run["workspace"]["path"])) == made
    assert files(here) == {}


def test_run_in_a_copy_with_the_prompt_from_stdin(here: Path, server: LoopbackServer) -> None:
    (here / "a.txt").write_text("old\n")
    script = server.script("copy", [patch(update_file("a.txt", "old", "new")), message("Changed.")])
    done = _codex_run(here, "--copy", ".", "-", stdin=f"Change it. {script}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Changed." in done.stdout
    run = json.loads(_swarm(here, "show", "@last", "--json").stdout)
    assert files(Path(run["workspace"]["path"])) == {"a.txt": "new\n"}
    assert files(here) == {"a.txt": "old\n"}


def test_a_failure_is_exit_code_1_with_its_way_out(here: Path, server: LoopbackServer) -> None:
    done = _codex_run(here, "--empty", server.script("fails", [unauthorized()]))
    assert done.returncode == 1
    assert "CODEX_AUTH_FAILED" in done.stdout
    assert "Incorrect API key provided" in done.stdout
    assert "codex login" in done.stdout


def test_without_codex_it_is_exit_code_3_and_no_run(here: Path) -> None:
    done = _swarm(here, "run", "--empty", "--codex-bin", "/no/such/codex", "--json", "hello")
    assert done.returncode == 3
    assert json.loads(done.stdout or done.stderr)["error"]["code"] == "CODEX_CLI_MISSING"
    assert json.loads(_swarm(here, "ls", "--json").stdout) == []


def test_cancel_from_another_process(here: Path, server: LoopbackServer, pipe: Path) -> None:
    line = f"exec 9>{pipe}; echo up >&9; sleep 300"
    prompt = server.script("hold", [command(line), message("x")])
    words = (*SWARM, "run", "--empty", "--codex-bin", codex_binary(), "--json", prompt)
    with (
        subprocess.Popen(words, text=True, stdout=subprocess.PIPE, cwd=here) as process,
        pipe.open() as held,
    ):
        assert held.readline() == "up\n"
        cancelled = _swarm(here, "cancel", "@last")
        out, _ = process.communicate(timeout=LIMIT_S)
        assert held.read() == ""  # nobody holds it: all are dead
    assert (cancelled.returncode, process.returncode) == (0, 130)
    assert json.loads(out.splitlines()[-1])["status"] == "cancelled"


def test_detach_watch_retry_resume(here: Path, server: LoopbackServer) -> None:
    trouble = [command("echo one >>count.txt"), unauthorized()]
    better = [command("echo two >>count.txt"), message("Better.")]
    more = [command("echo three >>count.txt"), message("More.")]
    prompt = server.script("again", trouble, better, more)
    detached = _codex_run(here, "--empty", "--detach", "--json", f"Count {prompt}")
    assert (detached.returncode, detached.stderr) == (0, "")
    run = json.loads(detached.stdout)["id"]

    watched = _swarm(here, "watch", run)
    assert watched.returncode == 1
    assert "CODEX_AUTH_FAILED" in watched.stdout
    assert f"next: swarm-tui retry {run}" in watched.stdout

    retried = _swarm(here, "retry", run, "--json")
    assert retried.returncode == 0, retried.stdout
    assert {json.loads(line)["attempt"] for line in retried.stdout.splitlines()} == {2}

    resumed = _swarm(here, "resume", run, "Go on.")
    assert resumed.returncode == 0, resumed.stdout
    assert "More." in resumed.stdout
    shown = json.loads(_swarm(here, "show", run, "--json").stdout)
    assert (shown["status"], shown["attempts"], shown["error"]) == ("succeeded", 3, None)
    assert files(Path(shown["workspace"]["path"])) == {"count.txt": "one\ntwo\nthree\n"}
    events = _swarm(here, "watch", run, "--json").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in events] == list(range(1, len(events) + 1))
    assert {json.loads(line)["attempt"] for line in events} == {1, 2, 3}


def test_logs_show_prompt_reasoning_and_each_edit_once(here: Path, server: LoopbackServer) -> None:
    script = [
        together(
            reasoning("**Planning the file** It is small."), patch(add_file("sub/a.txt", "x"))
        ),
        command("echo made > made.txt"),
        patch(update_file("sub/a.txt", "x", "y")),
        message("Both are there."),
    ]
    assert _codex_run(here, "--empty", server.script("edits", script)).returncode == 0
    lines = _swarm(here, "logs", "@last").stdout.splitlines()
    events = [line.split(maxsplit=2)[1:] for line in lines if line[:1].isdigit()]
    assert events[0][0] == "prompt" and events[-1] == ["end", "succeeded"]
    texts = [text for kind, text in events if kind in ("edit", "files")]
    assert [text for text in texts if "a.txt" in text] == ["A sub/a.txt", "M sub/a.txt"]
    assert next(text for text in texts if "made.txt" in text) == "A made.txt"
    assert ["thinks", "Planning the file"] in events
    assert lines[lines.index(next(x for x in lines if "thinks" in x)) + 1].strip() == "It is small."
