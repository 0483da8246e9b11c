"""`run` in a process of its own: text, JSON, exit codes, signals, pipes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from typed import COMMAND, Starter, Swarm

from engine.domain.errors import user_error
from engine.domain.model import Run, RunSpec, Status
from tui.cli.support.follow import exit_code

CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def test_plain_lines_tell_the_story(simulated: Swarm) -> None:
    done = simulated("Greet\nsim: write hello.txt hi\nsim: command ls takes=0 output=hello.txt")
    assert (done.code, done.err) == (0, "")
    assert not CONTROL.search(done.out)
    kinds = [line.split()[1] for line in done.out.splitlines() if re.match(r"\d\d:", line)]
    assert (kinds[0], kinds[-1]) == ("prompt", "end")
    assert kinds.count("edit") == 1
    # The watcher may report the file in a batch of events before the agent does.
    assert set(kinds) - {"files"} == {"prompt", "edit", "runs", "ran", "end"}
    assert re.search(r" succeeded after (0:0\d|0\.\ds) · Greet \(simulated\)", done.out)
    assert "next: swarm-tui diff " in done.out


def test_the_workspace_has_what_was_written(simulated: Swarm, swarm: Swarm) -> None:
    simulated("Greet\nsim: write hello.txt hi")
    run = swarm("show", "@last", "--json").json
    assert run["workspace"]["kind"] == "empty"
    assert (Path(run["workspace"]["path"]) / "hello.txt").read_text() == "hi\n"


def test_json_is_one_event_a_line(simulated: Swarm) -> None:
    done = simulated("sim: say hello", "--json")
    assert (done.code, done.err) == (0, "")
    events = done.events
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["run"] for event in events}) == 1
    assert events[0] | {"type": "status", "status": "queued"} == events[0]
    assert events[-1] | {"type": "status", "status": "succeeded", "exit_code": 0} == events[-1]


def test_failed_run_is_exit_code_1(simulated: Swarm) -> None:
    done = simulated("sim: fail quota")
    assert done.code == 1
    assert "QUOTA_EXCEEDED" in done.out
    assert re.search("next: swarm-tui retry [a-z0-9]+", done.out)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (Status.SUCCEEDED, None, 0),
        (Status.FAILED, "VERIFY_FAILED", 1),
        (Status.FAILED, "RUN_TIMED_OUT", 124),
        (Status.INTERRUPTED, "RUN_INTERRUPTED", 1),
        (Status.CANCELLED, None, 130),
    ],
)
def test_exit_codes(status: Status, code: str | None, expected: int) -> None:
    error = user_error(code).info if code else None
    run = Run("a", RunSpec("p", "t", "x"), 0.0, status=status, error=error)
    succeeded = Run("b", RunSpec("p", "t", "x"), 0.0, status=Status.SUCCEEDED)
    assert exit_code([run]) == exit_code([run, succeeded]) == expected


def test_different_failures_together_are_exit_code_1() -> None:
    spec = RunSpec("p", "t", "x")
    cancelled = Run("a", spec, 0.0, status=Status.CANCELLED)
    failed = Run("b", spec, 0.0, status=Status.FAILED)
    assert exit_code([cancelled, failed]) == 1


def test_prompt_from_stdin(simulated: Swarm, swarm: Swarm) -> None:
    assert simulated("-", stdin="Zwölf\nsim: say ja".encode()).code == 0
    assert swarm("show", "@last", "--json").json["prompt"] == "Zwölf\nsim: say ja"


@pytest.mark.parametrize("words", [["   "], ["-"]])
def test_empty_prompt_starts_nothing(simulated: Swarm, swarm: Swarm, words: list[str]) -> None:
    done = simulated(*words)
    assert (done.code, done.out) == (3, "")
    assert "The prompt is empty" in done.err
    assert swarm("ls", "--json").json == []


def test_missing_codex_is_an_error_before_anything(swarm: Swarm) -> None:
    done = swarm("run", "--empty", "--codex-bin", "/nowhere/codex", "--json", "hello")
    assert done.code == 3
    assert done.json["error"]["code"] == "CODEX_CLI_MISSING"
    assert swarm("ls", "--json").json == []


def test_flags_end_in_the_run(simulated: Swarm, swarm: Swarm) -> None:
    flags = "--project P --title T --model m --sandbox read-only -c a=1 -c b.c='x' --timeout 5m"
    flags += " --retries 2 --budget 1.5M --priority -3"
    assert simulated("sim: say x", *flags.replace("'", '"').split()).code == 0
    run = swarm("show", "@last", "--json").json
    assert (run["project"], run["title"], run["model"]) == ("P", "T", "m")
    assert run["sandbox"] == "read-only"
    assert run["agent"] == "simulated"
    shown = swarm("show", "@last").out
    for fact in ("time limit 5:00", "retries 0 of 2 used", "budget 1500000 tokens", "priority -3"):
        assert fact in re.sub(" +", " ", shown)


def test_default_is_a_copy_of_the_current_folder(swarm: Swarm, here: Path) -> None:
    (here / "tree.txt").write_text("oak")
    done = swarm("run", "--agent", "simulated", "sim: append tree.txt !")
    assert done.code == 0
    assert "note" not in done.out
    run = swarm("show", "@last", "--json").json
    assert (run["project"], run["workspace"]["kind"]) == ("garden", "copy")
    assert (Path(run["workspace"]["path"]) / "tree.txt").read_text().startswith("oak")
    assert (here / "tree.txt").read_text() == "oak"


def test_apply_of_several_passes_over_one_that_does_not_fit(swarm: Swarm, here: Path) -> None:
    (here / "a.txt").write_text("1\n")
    ids: list[str] = []
    for text in ("2", "3", "4"):
        words = ("run", "--copy", ".", "--agent", "simulated", f"sim: write a.txt {text}")
        assert swarm(*words).code == 0
        ids.append(swarm("ls", "-q").out.split()[0])
    done = swarm("apply", *ids)
    assert done.code == 1
    assert f"✓ {ids[0]} applied: 1 file" in done.out
    assert f"✗ {ids[1]} does not fit: a.txt" in done.out
    assert "1 of 3 applied, 2 did not fit" in done.err
    assert (here / "a.txt").read_text().strip() == "2"


def test_inside_a_repository_it_works_in_a_worktree(swarm: Swarm, here: Path) -> None:
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=here, capture_output=True, check=True)
        return done.stdout.decode()

    git("init", "-q", "-b", "main")
    (here / "tree.txt").write_text("oak\n")
    git("add", ".")
    git("-c", "user.name=me", "-c", "user.email=me@localhost", "commit", "-qm", "first")
    done = swarm("run", "--agent", "simulated", "sim: write tree.txt elm\nsim: say x")
    assert done.code == 0
    run = swarm("show", "@last", "--json").json
    assert run["workspace"]["kind"] == "worktree"
    assert run["workspace"]["branch"] == f"swarm/{run['id']}"
    assert run["changes"] == {"files": 1, "insertions": 1, "deletions": 1}
    assert "-oak" in swarm("diff", "@last").out
    assert swarm("apply", "@last", "--check", "--json").json["fits"]
    assert (here / "tree.txt").read_text() == "oak\n"
    assert swarm("apply", "@last").code == 0
    assert (here / "tree.txt").read_text() == "elm\n"
    assert git("status", "--short") == " M tree.txt\n"
    run = swarm("show", "@last", "--json").json
    assert (run["applied"]["how"], run["applied"]["files"], run["overlaps"]) == ("edits", 1, [])
    assert "nothing new" in swarm("apply", "@last").out
    assert swarm("restore", "@last", "--json").json[0]["n"] == 0
    assert swarm("restore", "@last", "--checkpoint", "0").code == 0
    assert swarm("get", "@last", "tree.txt").out == "oak\n"
    assert swarm("diff", "@last").out == ""
    run = swarm("show", "@last", "--json").json
    assert run["changes"] == {"files": 0, "insertions": 0, "deletions": 0}


def test_two_workspaces_at_once_are_wrong_usage(swarm: Swarm) -> None:
    done = swarm("run", "--empty", "--copy", ".", "x")
    assert (done.code, done.out) == (2, "")
    assert "--copy and --empty exclude each other" in done.err


def test_copy_of_a_folder_that_is_not_there(swarm: Swarm) -> None:
    done = swarm("run", "--agent", "simulated", "--copy", "no/such", "x")
    assert done.code == 3
    assert "SOURCE_NOT_FOUND" in done.err


HOSTILE = "[/red] \x1b]52;c;QQ==\x07 \x1b[31m \u202e \x9b2J"


def test_nothing_raw_reaches_the_output(simulated: Swarm, swarm: Swarm) -> None:
    directive = r"sim: say [/red] \x1b]52;c;QQ==\x07 \x1b[31m \u202e \x9b2J"
    written = r"sim: write 'a\x1bb' x"
    title = HOSTILE.replace("\x00", "")
    for done in (
        simulated(f"{HOSTILE}\n{directive}\n{written}", "--title", title, "--project", title),
        simulated(f"{HOSTILE}\n{directive}", "--json"),
        swarm("ls"),
        swarm("show", "@last"),
        swarm("logs", "@last"),
    ):
        assert done.code == 0, done.err
        assert not CONTROL.search(done.out)
        assert "[/red]" in done.out


def test_without_a_terminal_ctrl_c_cancels(start: Starter, swarm: Swarm) -> None:
    run = start("run", "--empty", "--agent", "simulated", "sim: say working\nsim: hang")
    run.until(type="step", text="working")
    run.interrupt()
    assert run.end() == 130
    assert run.events[-1]["status"] == "cancelled"
    assert swarm("show", "@last", "--json").json["status"] == "cancelled"


def test_a_second_signal_kills(start: Starter) -> None:
    script = "sim: ignore-term\nsim: say deaf\nsim: hang"
    run = start("run", "--empty", "--agent", "simulated", script)
    run.until(type="step", text="deaf")
    run.interrupt()
    run.until(type="status", status="cancelling")
    run.interrupt()
    assert run.end() == 130
    assert run.events[-1] | {"status": "cancelled", "exit_code": 137} == run.events[-1]


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_closed_pipe_ends_quietly(here: Path, swarm: Swarm, words: list[str]) -> None:
    process = subprocess.Popen(
        [
            *COMMAND,
            "run",
            "--empty",
            "--agent",
            "simulated",
            *words,
            "sim: numbered 1000 every=0.02",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=here,
    )
    with process:
        assert process.stdout
        assert process.stderr
        assert all(process.stdout.readline() for _ in range(3))
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
    assert swarm("show", "@last", "--json").json["status"] == "cancelled"


def test_head_takes_three_lines(here: Path) -> None:
    command = " ".join([*COMMAND, "run --empty --agent simulated --json 'sim: say x' | head -3"])
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, cwd=here, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == [1, 2, 3]


def test_ascii_only_streams_take_any_text(simulated: Swarm) -> None:
    done = simulated("sim: say Grüße ☂", PYTHONIOENCODING="ascii")
    assert done.code == 0
    assert r"Gr\xfc\xdfe" in done.out


def test_a_folder_that_is_gone(swarm: Swarm, here: Path) -> None:
    gone = here / "gone"
    command = f"mkdir {gone}; cd {gone}; rmdir {gone}; exec {' '.join(COMMAND)} run hello"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=dict(os.environ), timeout=60
    )
    assert done.returncode == 3
    assert "SOURCE_NOT_FOUND" in done.stderr
