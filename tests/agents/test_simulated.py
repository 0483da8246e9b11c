"""The stand-in for Codex, driven as the engine drives it: as a process."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time
from keyword import iskeyword
from pathlib import Path
from typing import Any

import pytest

import engine.agents.simulated as simulated
from engine.agents.simulated import default_task, playing, script, trouble

EXECUTABLE = Path(simulated.__file__).with_name("__main__.py")
LIMIT_S = 60

# What codex-cli 0.163.0 printed for the same kinds of item, key by key.
REAL_SHAPES = {
    ("thread.started", ""): {"type", "thread_id"},
    ("turn.started", ""): {"type"},
    ("turn.completed", ""): {"type", "usage"},
    ("turn.failed", ""): {"type", "error"},
    ("error", ""): {"type", "message"},
    ("item.started", "todo_list"): {"id", "type", "items"},
    ("item.updated", "todo_list"): {"id", "type", "items"},
    ("item.completed", "todo_list"): {"id", "type", "items"},
    **{
        (f"item.{phase}", kind): keys
        for phase in ("started", "completed")
        for kind, keys in {
            "command_execution": {
                *("id", "type", "command", "aggregated_output", "exit_code", "status")
            },
            "file_change": {"id", "type", "changes", "status"},
            "web_search": {"id", "type", "query", "action"},
            "mcp_tool_call": {
                *("id", "type", "server", "tool", "arguments", "result", "error", "status")
            },
        }.items()
    },
    ("item.completed", "reasoning"): {"id", "type", "text"},
    ("item.completed", "agent_message"): {"id", "type", "text"},
    ("item.completed", "error"): {"id", "type", "message"},
}
REAL_USAGE = {
    "input_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
}
PLAN_ON = ("-c", "tools.update_plan={enabled=true}")
WRITABLE = ("-s", "workspace-write")


class Agent:
    """Starts the stand-in in one workspace, with one CODEX_HOME."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.workspace = folder / "workspace"
        self.home.mkdir()
        self.workspace.mkdir()

    def start(
        self, *arguments: str, stdin: int = subprocess.PIPE, stderr: int | None = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(EXECUTABLE), *arguments],
            cwd=self.workspace,
            env={**os.environ, "CODEX_HOME": str(self.home)},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )

    def call(self, *arguments: str, stdin: str | bytes = b"") -> subprocess.CompletedProcess[bytes]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        with self.start(*arguments) as process:
            out, err = process.communicate(data, timeout=LIMIT_S)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def play(self, prompt: str, *more: str) -> subprocess.CompletedProcess[bytes]:
        options = ("--json", "--skip-git-repo-check", *WRITABLE, *more)
        return self.call("exec", *options, "-", stdin=prompt)

    def resume(self, thread: str, message: str, *more: str) -> subprocess.CompletedProcess[bytes]:
        options = ("--json", "--skip-git-repo-check", "-c", 'sandbox_mode="workspace-write"')
        return self.call("exec", "resume", *options, *more, thread, "-", stdin=message)

    def begin(self, prompt: str) -> subprocess.Popen[bytes]:
        """Start a script and return as soon as `sim: say ready` was printed."""
        process = self.start("exec", "--json", "--skip-git-repo-check", *WRITABLE, prompt,
                             stdin=subprocess.DEVNULL)  # fmt: skip
        assert process.stdout
        while b'"ready"' not in (line := process.stdout.readline()):
            assert line, "it ended before it was ready"
        return process

    def rollouts(self) -> list[Path]:
        return sorted(self.home.glob("sessions/*/*/*/rollout-*.jsonl"))


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


def events(result: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def items_of(result: subprocess.CompletedProcess[bytes], kind: str) -> list[dict[str, Any]]:
    found = [event for event in events(result) if event.get("item", {}).get("type") == kind]
    return [event["item"] for event in found if event["type"] == "item.completed"]


def texts(result: subprocess.CompletedProcess[bytes]) -> list[str]:
    return [item["text"] for item in items_of(result, "agent_message")]


def thread_of(result: subprocess.CompletedProcess[bytes]) -> str:
    return events(result)[0]["thread_id"]


def usage_of(result: subprocess.CompletedProcess[bytes]) -> dict[str, int]:
    return events(result)[-1]["usage"]


def token_counts(rollout: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line)["payload"] for line in rollout.read_text().splitlines()]
    return [line for line in lines if line.get("type") == "token_count"]


def stop(process: subprocess.Popen[bytes], number: int) -> tuple[int, bytes]:
    process.send_signal(number)
    out, _ = process.communicate(timeout=LIMIT_S)
    return process.returncode, out


EVERYTHING = """
sim: think **Hm** let me see
sim: plan a | b | c
sim: command "pytest -q" exit=1 takes=0 output="1 failed"
sim: write src/a.txt one
sim: done 2
sim: append src/a.txt two
sim: delete src/a.txt
sim: search cats
sim: mcp docs lookup
sim: mcp docs lookup error=gone
sim: warning careful
sim: speed 1000
sim: reconnecting 2
sim: say all done
"""


def test_it_prints_the_shapes_of_the_real_one(agent: Agent) -> None:
    lines = events(agent.play(EVERYTHING, *PLAN_ON)) + events(agent.play("sim: fail rate"))
    seen = {(e["type"], e.get("item", {}).get("type", "")): set(e.get("item", e)) for e in lines}
    assert seen == REAL_SHAPES


def test_usage_and_order_are_those_of_the_real_one(agent: Agent) -> None:
    lines = events(agent.play(EVERYTHING, *PLAN_ON))
    assert set(lines[-1]["usage"]) == REAL_USAGE
    assert [line["type"] for line in lines[:2]] == ["thread.started", "turn.started"]
    assert [line["type"] for line in lines[-2:]] == ["item.completed", "turn.completed"]
    assert lines[-2]["item"]["type"] == "todo_list"
    numbers = [int(i["item"]["id"][5:]) for i in lines if i["type"] == "item.started"
               and i["item"]["type"] != "web_search"]  # fmt: skip
    assert numbers == sorted(numbers)
    assert numbers[0] == 1


def test_web_search_prints_its_id_twice_like_the_real_one(agent: Agent) -> None:
    line = agent.play("sim: search cats").stdout.splitlines()[2]
    pairs = json.loads(line, object_pairs_hook=list)[1][1]
    assert [key for key, _ in pairs] == ["id", "type", "id", "query", "action"]


def test_default_task_is_believable_and_the_same_every_time(agent: Agent) -> None:
    prompt = "sim: speed 100\nsim: default\nAdd a retry to the client"
    first = agent.play(prompt, *PLAN_ON, "-o", "last.md")
    assert first.returncode == 0
    changes = [item["changes"][0] for item in items_of(first, "file_change")]
    assert [change["kind"] for change in changes] == ["add", "update"]
    written = Path(changes[0]["path"])
    assert written.is_relative_to(agent.workspace)
    ast.parse(written.read_text())
    assert len(items_of(first, "todo_list")[0]["items"]) == 4
    assert all(item["completed"] for item in items_of(first, "todo_list")[0]["items"])
    assert (agent.workspace / "last.md").read_text() == texts(first)[-1]
    content = written.read_bytes()
    written.unlink()
    again = agent.play(prompt, *PLAN_ON)
    assert written.read_bytes() == content
    assert again.stdout.splitlines()[1:] == first.stdout.splitlines()[1:]


def test_default_task_takes_six_to_ten_seconds() -> None:
    steps = script.parse(default_task.directives("Add a retry to the client"), 1)
    waits = sum(float(step.words[0]) for step in steps if step.name == "wait")
    assert 6 <= waits + sum(step.number("takes") for step in steps) <= 10


@pytest.mark.parametrize("word", ["Try it", "Return", "class"])
def test_default_task_names_its_function_by_no_word_of_the_language(word: str) -> None:
    lines = "\n".join(default_task.directives(word))
    names = re.findall(r"def (\w+)\(", lines)
    assert names
    assert not any(map(iskeyword, names))


@pytest.mark.parametrize("prompt", ["", "🙂 \x1b[31m", "a " * 5000, 'say "hi" \\ it\'s', "Класс"])
def test_default_task_can_be_written_for_any_prompt(prompt: str) -> None:
    assert script.parse(default_task.directives(prompt), 1)
    assert script.parse(default_task.follow_up(prompt), 1)


def test_plan_comes_only_where_the_plan_tool_is_on(agent: Agent) -> None:
    result = agent.play("sim: plan a | b\nsim: done 1")
    assert [event["type"] for event in events(result)] == [
        "thread.started", "turn.started", "turn.completed"]  # fmt: skip


def test_plan_is_replaced_and_completed(agent: Agent) -> None:
    result = agent.play("sim: plan a | b\nsim: done 1\nsim: plan c | d\nsim: done 9", *PLAN_ON)
    shown = [event for event in events(result) if "item" in event]
    assert [event["type"][5:] for event in shown] == [
        "started", "updated", "updated", "updated", "completed"]  # fmt: skip
    assert [[item["completed"] for item in event["item"]["items"]] for event in shown] == [
        [False, False], [True, False], [False, False], [True, True], [True, True]]  # fmt: skip


def test_commands_look_like_the_real_ones_and_never_run(agent: Agent) -> None:
    result = agent.play(
        "sim: command \"touch ran\" output='a\\nb'\n"
        'sim: command "echo it\'s" exit=3\n'
        "sim: command nope exit=127"
    )
    first, second, third = items_of(result, "command_execution")
    assert first["command"] == "/bin/bash -lc 'touch ran'"
    assert (first["aggregated_output"], first["status"]) == ("a\nb\n", "completed")
    assert second["command"] == '/bin/bash -lc "echo it\'s"'
    assert (second["exit_code"], second["status"]) == (3, "failed")
    assert "nope: command not found" in third["aggregated_output"]
    assert not list(agent.workspace.iterdir())


def test_files_are_really_changed(agent: Agent) -> None:
    result = agent.play(
        "sim: write 'a b.txt' one\\ntwo\nsim: write a.txt x\nsim: append a.txt y\n"
        "sim: write b.txt gone\nsim: delete b.txt"
    )
    kinds = [item["changes"][0]["kind"] for item in items_of(result, "file_change")]
    assert kinds == ["add", "add", "update", "add", "delete"]
    assert {item["status"] for item in items_of(result, "file_change")} == {"completed"}
    assert (agent.workspace / "a b.txt").read_text() == "one\ntwo\n"
    assert (agent.workspace / "a.txt").read_text() == "x\ny\n"
    assert not (agent.workspace / "b.txt").exists()


@pytest.mark.parametrize(
    "line",
    [
        "write ../out.txt x",
        "write {outside}/out.txt x",
        "write folder/out.txt x",
        "append file x",
        "delete folder/precious",
        "delete .",
        "write .git/hooks/pre-commit x",
        "write sub/.git x",
        "delete missing",
        "append pipe x",
        "write a\x00b x",
    ],
)
def test_files_outside_are_refused(agent: Agent, tmp_path: Path, line: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    (agent.workspace / "folder").symlink_to(outside)
    (agent.workspace / "file").symlink_to(outside / "precious")
    os.mkfifo(agent.workspace / "pipe")
    result = agent.play("sim: " + line.format(outside=outside))
    assert result.returncode == 0
    assert [item["status"] for item in items_of(result, "file_change")] == ["failed"]
    assert {path.name for path in outside.iterdir()} == {"precious"}
    assert (outside / "precious").read_text() == "kept"
    assert {path.name for path in tmp_path.iterdir()} == {"home", "workspace", "outside"}


def test_a_link_itself_may_be_deleted(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (agent.workspace / "link").symlink_to(tmp_path / "precious")
    assert items_of(agent.play("sim: delete link"), "file_change")[0]["status"] == "completed"
    assert (tmp_path / "precious").exists()
    assert not (agent.workspace / "link").is_symlink()


def test_sandbox_is_read_only_unless_said_otherwise(agent: Agent) -> None:
    options = ("exec", "--json", "--skip-git-repo-check")
    result = agent.call(*options, "-", stdin="sim: write a.txt x")
    assert items_of(result, "file_change")[0]["status"] == "failed"
    result = agent.call(*options, "-c", "sandbox_mode='workspace-write'", "-",
                        stdin="sim: write a.txt x")  # fmt: skip
    assert items_of(result, "file_change")[0]["status"] == "completed"


@pytest.mark.parametrize(("cause", "message"), [*trouble.FAILURES.items(), ("my own", "my own")])
def test_failures_say_it_twice_and_exit_1(agent: Agent, cause: str, message: str) -> None:
    result = agent.play(f"sim: say one\nsim: fail {cause}\nsim: say two", "-o", "last.md")
    assert result.returncode == 1
    assert events(result)[-2:] == [
        {"type": "error", "message": message},
        {"type": "turn.failed", "error": {"message": message}},
    ]
    assert texts(result) == ["one"]
    assert not (agent.workspace / "last.md").exists()


def test_failures_have_the_real_wording() -> None:
    beginnings = {
        "auth": "unexpected status 401 Unauthorized: Incorrect API key provided, url: ",
        "rate": "exceeded retry limit, last status: 429 Too Many Requests",
        "quota": "Quota exceeded. Check your plan and billing details.",
        "usage": "You’ve hit your usage limit. ",
        "overloaded": "We’re currently experiencing high demand, which may cause temporary",
        "stream": "stream disconnected before completion: ",
        "context": "Codex ran out of room in the model's context window. ",
    }
    assert beginnings.keys() == trouble.FAILURES.keys()
    for cause, beginning in beginnings.items():
        assert trouble.FAILURES[cause].startswith(beginning)


@pytest.mark.parametrize(("line", "code"), [("crash", 101), ("exit 0", 0), ("exit 7", 7)])
def test_deaths_have_no_closing_event(agent: Agent, line: str, code: int) -> None:
    result = agent.play(f"sim: say one\nsim: stderr it hurts\nsim: {line}")
    assert result.returncode == code
    assert events(result)[-1]["item"]["text"] == "one"
    assert b"it hurts" in result.stderr
    assert (b"panicked" in result.stderr) == (line == "crash")


def test_transient_errors_are_no_failure(agent: Agent) -> None:
    result = agent.play("sim: speed 1000\nsim: reconnecting 3\nsim: warning odd\nsim: unknown")
    assert result.returncode == 0
    messages = [event["message"] for event in events(result) if event["type"] == "error"]
    assert [message[:20] for message in messages] == [f"Reconnecting... {n}/3 " for n in "123"]
    assert items_of(result, "error")[0]["message"] == "odd"
    types = {event["type"] for event in events(result)}
    assert "simulated.novelty" in types
    assert items_of(result, "simulated_novelty")


def test_no_network_never_ends(agent: Agent) -> None:
    process = agent.begin("sim: say ready\nsim: speed 1000\nsim: network")
    assert process.stdout
    for _ in range(20):
        assert b"Reconnecting... waiting for network (" in process.stdout.readline()
    assert stop(process, signal.SIGTERM)[0] == -signal.SIGTERM


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 1), (signal.SIGKILL, -signal.SIGKILL)],
)
@pytest.mark.parametrize("line", ["hang", "wait 600", "command x takes=600"])
def test_signals_end_it_without_a_closing_event(
    agent: Agent, number: int, code: int, line: str
) -> None:
    process = agent.begin(f"sim: say ready\nsim: {line}")
    returncode, out = stop(process, number)
    assert returncode == code
    assert b"turn.completed" not in out
    assert b"turn.failed" not in out


def test_signals_can_be_ignored(agent: Agent) -> None:
    process = agent.begin("sim: ignore-term\nsim: say ready\nsim: wait 0.3\nsim: say survived")
    process.send_signal(signal.SIGINT)
    code, out = stop(process, signal.SIGTERM)
    assert code == 0
    assert b"survived" in out
    assert b"turn.completed" in out


@pytest.mark.parametrize("words", ["600", "new-session 600", "ignore-term new-session 600"])
def test_children_are_real_and_left_behind(agent: Agent, words: str) -> None:
    process = agent.begin(f"sim: child {words}\nsim: say ready\nsim: hang")
    command = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,sid="], capture_output=True, text=True, check=True
    )
    rows = [[int(word) for word in line.split()] for line in command.stdout.splitlines()]
    ((child, _, session),) = [row for row in rows if row[1] == process.pid]
    try:
        assert (session == child) == ("new-session" in words)
        stop(process, signal.SIGKILL)
        os.kill(child, 0)
        os.kill(child, signal.SIGTERM)
        assert is_gone(child, within_s=0.3 if "ignore" in words else LIMIT_S) == (
            "ignore" not in words
        )
    finally:
        if not is_gone(child, within_s=0):
            os.kill(child, signal.SIGKILL)


def is_gone(pid: int, within_s: float) -> bool:
    """Watch a process that is no child of ours: there is no event to wait for."""
    end = time.monotonic() + within_s
    while True:
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True)
        if not state.stdout.strip() or state.stdout.startswith(b"Z"):
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(0.02)


def test_usage_is_a_running_total_over_the_thread(agent: Agent) -> None:
    turn = "sim: say hi\nsim: usage input=5000 cached=1000 output=250 reasoning=50"
    first = agent.play(turn)
    expected = dict(zip(sorted(REAL_USAGE), (0, 1000, 5000, 250, 50), strict=True))
    assert usage_of(first) == expected
    killed = agent.resume(thread_of(first), f"{turn}\nsim: exit 3")
    assert killed.returncode == 3
    third = agent.resume(thread_of(first), turn)
    assert usage_of(third) == {key: 3 * value for key, value in expected.items()}
    assert thread_of(third) == thread_of(first)
    assert events(third)[2]["item"]["id"] == "item_0"
    (rollout,) = agent.rollouts()
    assert [count["info"]["total_token_usage"]["total_tokens"] for count in
            token_counts(rollout)] == [5250, 10500, 15750]  # fmt: skip
    ordinals = [json.loads(line)["ordinal"] for line in rollout.read_text().splitlines()]
    assert ordinals == list(range(len(ordinals)))


def test_every_model_request_is_counted(agent: Agent) -> None:
    result = agent.play("sim: think a\nsim: command ls\nsim: say b")
    counts = token_counts(agent.rollouts()[0])
    assert len(counts) == 3
    last = counts[-1]["info"]
    assert last["model_context_window"] == 258400
    assert set(last["last_token_usage"]) == REAL_USAGE | {"total_tokens"}
    assert {k: v for k, v in last["total_token_usage"].items() if k != "total_tokens"} == (
        usage_of(result)
    )
    assert usage_of(result)["input_tokens"] > usage_of(result)["cached_input_tokens"] > 0


def test_limits_are_in_the_rollout(agent: Agent) -> None:
    before = time.time()
    first = agent.play("sim: limits primary=62 resets_in=3600 window=300 secondary=8")
    agent.resume(thread_of(first), "sim: say hi")
    for count in token_counts(agent.rollouts()[0]):
        primary = count["rate_limits"]["primary"]
        assert (primary["used_percent"], primary["window_minutes"]) == (62, 300)
        assert before + 3590 <= primary["resets_at"] <= time.time() + 3610
        assert count["rate_limits"]["secondary"]["used_percent"] == 8
        assert count["rate_limits"]["secondary"]["window_minutes"] == 10080


def test_rollouts_lie_where_the_real_one_puts_them(agent: Agent) -> None:
    result = agent.play("sim: say hi")
    (rollout,) = agent.rollouts()
    relative = rollout.relative_to(agent.home).as_posix()
    assert re.fullmatch(
        r"sessions/\d{4}/\d\d/\d\d/rollout-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-"
        + re.escape(thread_of(result)) + r"\.jsonl",
        relative,
    )  # fmt: skip
    meta = json.loads(rollout.read_text().splitlines()[0])
    assert (meta["type"], meta["payload"]["id"]) == ("session_meta", thread_of(result))
    assert meta["payload"]["cwd"] == str(agent.workspace)


def test_a_killed_thread_can_be_resumed_and_goes_on_counting(agent: Agent) -> None:
    process = agent.start("exec", "--json", "--skip-git-repo-check", "-", stderr=None)
    assert process.stdin
    assert process.stdout
    process.stdin.write(b"sim: numbered 100000 every=0.0005")
    process.stdin.close()
    process.stdin = None
    thread = json.loads(process.stdout.readline())["thread_id"]
    lines = [process.stdout.readline() for _ in range(50)]
    lines += stop(process, signal.SIGTERM)[1].splitlines()
    last = int(json.loads(lines[-1])["item"]["text"].removeprefix("n "))
    with agent.rollouts()[0].open("a") as rollout:
        rollout.write('{"cut sho')
    result = agent.resume(thread, "sim: numbered 3 from=last")
    said = [int(text.removeprefix("n ")) for text in texts(result)]
    assert said == [said[0], said[0] + 1, said[0] + 2]
    # Killed between printing and remembering, it may repeat one number; it never skips one.
    assert said[0] in (last, last + 1)


def test_floods_and_big_lines(agent: Agent) -> None:
    result = agent.play("sim: flood 10000 size=200\nsim: bigline 10485760\nsim: numbered 2 from=5")
    said = texts(result)
    assert len(said) == 10003
    assert {len(text) for text in said[:10000]} == {200}
    assert [int(text.split()[1]) for text in said[:10000]] == list(range(1, 10001))
    assert len(said[10000]) == 10485760
    assert said[10001:] == ["n 5", "n 6"]
    ids = [item["id"] for item in items_of(result, "agent_message")]
    assert len(set(ids)) == len(ids)


def test_raw_bytes_and_hostile_text(agent: Agent) -> None:
    hostile = r"\x1b]52;c;eA==\x07 \u202e [/red] \x00"
    result = agent.play(
        f"sim: raw {{\"odd\":  'x'\\xff\\x1b[2J\\u202e\n"
        f'sim: say {hostile}\nsim: rawcut {{"cut\nsim: exit 0'
    )
    lines = result.stdout.split(b"\n")
    assert lines[2] == b"{\"odd\":  'x'\xff\x1b[2J\xe2\x80\xae"
    assert json.loads(lines[3])["item"]["text"] == "\x1b]52;c;eA==\x07 \u202e [/red] \x00"
    assert lines[4] == b'{"cut'


def test_attempts_fail_first_and_go_well_then(agent: Agent) -> None:
    prompt = (
        "sim: attempt 1\nsim: fail overloaded\nsim: attempt 2\nsim: exit 9\n"
        "sim: attempt 3+\nsim: say third\nsim: end\nsim: say always"
    )
    assert [agent.play(prompt).returncode for _ in range(3)] == [1, 9, 0]
    assert texts(agent.play(prompt)) == ["third", "always"]
    assert agent.play(prompt.replace("always", "other")).returncode == 1


def test_a_resumed_thread_plays_its_next_attempt(agent: Agent) -> None:
    first = agent.play("Do it.\nsim: attempt 1\nsim: exit 9\nsim: attempt 2\nsim: say well")
    assert first.returncode == 9
    again = agent.resume(thread_of(first), "Please go on.")
    assert (again.returncode, texts(again)) == (0, ["well"])
    other = agent.resume(thread_of(first), "sim: say something else")
    assert texts(other) == ["something else"]


def test_prompt_comes_as_argument_from_stdin_or_both(agent: Agent) -> None:
    options = ("exec", "--json", "--skip-git-repo-check")
    assert texts(agent.call(*options, "sim: say a")) == ["a"]
    assert texts(agent.call(*options, stdin="sim: say b")) == ["b"]
    both = agent.call(*options, "sim: say c", stdin="sim: say d")
    assert texts(both) == ["c", "d"]
    assert b"Reading additional input from stdin..." in both.stderr
    empty = agent.call(*options, "-", stdin="")
    assert (empty.returncode, empty.stdout) == (1, b"")
    assert b"No prompt provided via stdin." in empty.stderr
    broken = agent.call(*options, "-", stdin=b"a\xff")
    assert broken.returncode == 1
    assert b"input is not valid UTF-8 (invalid byte at offset 1)" in broken.stderr


def test_outside_of_git_it_refuses_to_begin(agent: Agent) -> None:
    (agent.workspace / ".git").mkdir()  # empty: not a repository, for the real one neither
    result = agent.call("exec", "--json", "sim: say hi")
    assert (result.returncode, result.stdout) == (1, b"")
    assert (
        b"Not inside a trusted directory and --skip-git-repo-check was not specified."
        in result.stderr
    )
    (agent.workspace / ".git").rmdir()
    (agent.workspace / ".git").write_text("gitdir: elsewhere")
    assert texts(agent.call("exec", "--json", "sim: say hi")) == ["hi"]


def test_another_folder_can_be_named(agent: Agent) -> None:
    (agent.workspace / "sub").mkdir()
    agent.play("sim: write a.txt x", "-C", "sub", "-o", "last.md")
    assert (agent.workspace / "sub" / "a.txt").exists()
    assert (agent.workspace / "last.md").read_bytes() == b""
    missing = agent.play("sim: say x", "--cd=missing")
    assert missing.returncode == 1
    assert b"Error: No such file or directory (os error 2)" in missing.stderr


def test_unknown_threads_are_not_found(agent: Agent) -> None:
    thread = "00000000-0000-7000-8000-000000000000"
    result = agent.resume(thread, "sim: say hi")
    assert (result.returncode, result.stdout) == (1, b"")
    assert (
        f"Error: thread/resume: thread/resume failed: no rollout found for thread id {thread}"
        in result.stderr.decode()
    )
    # A word that is no id: the real one looks for a name, finds none and begins anew.
    assert texts(agent.resume("nobody", "sim: say hi")) == ["hi"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["exec", "--bogus"], "error: unexpected argument '--bogus' found"),
        (["exec", "resume", "-s", "read-only", "x"], "error: unexpected argument '-s' found"),
        (["exec", "resume", "-C", "x"], "error: unexpected argument '-C' found"),
        (["exec", "a", "b"], "error: unexpected argument 'b' found"),
        (["exec", "-m"], "error: a value is required for '--model <MODEL>'"),
        (["exec", "-s", "odd", "x"], "error: invalid value 'odd' for '--sandbox <SANDBOX_MODE>'"),
        (["bogus"], "error: unexpected argument 'bogus' found"),
        (["login", "status", "--x"], "error: unexpected argument '--x' found"),
        (["doctor", "--x"], "error: unexpected argument '--x' found"),
    ],
)
def test_wrong_arguments_exit_2(agent: Agent, arguments: list[str], complaint: str) -> None:
    result = agent.call(*arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert complaint in result.stderr.decode()
    assert b"try '--help'" in result.stderr


def test_all_arguments_of_the_real_one_are_taken(agent: Agent) -> None:
    (agent.workspace / "s.json").write_text("{}")
    options = ("-m", "gpt-5.5", "-cmodel_reasoning_effort=low", "--output-schema", "s.json",
               "--add-dir", "x", "-i", "a.png")  # fmt: skip
    assert texts(agent.play("sim: say hi", *options, "--color=never")) == ["hi"]
    first = agent.call("exec", *WRITABLE, "--skip-git-repo-check", "sim: say plain")
    assert first.stdout == b"plain\n"
    swallowed = agent.play("", "-i", "a.png", "sim: say hi")
    assert b"No prompt provided" in swallowed.stderr
    assert agent.play("sim: say hi", "-c", "odd").returncode == 1
    assert agent.play("sim: say hi", "--output-schema", "missing").returncode == 1


@pytest.mark.parametrize(
    "line",
    ["bogus", "", "wait", "wait x", "wait -1", "wait nan", "speed 0", "say", "exit x", "hang now",
     'command "x', "command x exit=y", "command x odd=1", "write", "child odd", "attempt x",
     "end", "until now", "form [1]", "form {", "ask", "question x", "limits window=3",
     "numbered 3 from=first", "mcp one", "usage 5"],
)  # fmt: skip
def test_wrong_directives_exit_2_before_anything_happens(agent: Agent, line: str) -> None:
    result = agent.play(f"sim: write a.txt x\nsim: {line}")
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.startswith(f"sim: {line}".encode())
    assert b"Traceback" not in result.stderr
    assert not agent.rollouts()
    assert not list(agent.workspace.iterdir())


def test_version_login_and_doctor(agent: Agent) -> None:
    assert agent.call("--version").stdout == b"codex-cli 0.163.0-simulated\n"
    login = agent.call("login", "status")
    assert (login.returncode, login.stdout) == (0, b"")
    assert login.stderr == b"Logged in using a simulated account\n"
    doctor = agent.call("doctor", "--json")
    report = json.loads(doctor.stdout)
    assert doctor.returncode == 0
    assert report["overallStatus"] == "ok"
    for name, check in report["checks"].items():
        assert check["id"] == name
        assert set(check) == {
            *("id", "category", "status", "summary", "details", "remediation", "durationMs")
        }


def test_a_missing_home_is_refused(agent: Agent) -> None:
    agent.home.rmdir()
    result = agent.play("sim: say hi")
    assert result.returncode == 1
    assert b"that path does not exist" in result.stderr


def test_a_closed_stdout_ends_it(agent: Agent) -> None:
    process = agent.begin("sim: say ready\nsim: numbered 1000000")
    assert process.stdout
    process.stdout.close()
    assert process.wait(LIMIT_S) == 101
    assert process.stderr
    process.stderr.close()


def test_lines_come_at_once(agent: Agent) -> None:
    process = agent.begin("sim: say ready\nsim: rawcut half\nsim: hang")
    assert process.stdout
    assert process.stdout.read(4) == b"half"
    stop(process, signal.SIGKILL)


def test_every_directive_is_documented_and_played() -> None:
    assert simulated.__doc__
    table = [line.split(" | ")[0] for line in simulated.__doc__.splitlines() if line[:3] == "| `"]
    documented = {name for row in table for name in re.findall(r"`([a-z-]+)", row)}
    assert documented == set(script.FORMS)
    assert set(playing.PLAYS) == set(script.FORMS) - {"default", "attempt", "account", "end"}


def test_it_needs_only_the_standard_library_and_starts_fast(agent: Agent) -> None:
    command = [sys.executable, "-I", "-S", "-X", "importtime", str(EXECUTABLE), "--version"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=agent.workspace)
    rows = [line.split("|") for line in result.stderr.splitlines() if line.count("|") == 2]
    imported = {name.strip().split(".")[0] for _, _, name in rows}
    assert imported - sys.stdlib_module_names - {"imported package"} == {"simulated"}
    # Each of these takes several milliseconds of every start.
    slow = {"argparse", "asyncio", "dataclasses", "hashlib", "pathlib", "subprocess", "typing"}
    assert not slow & imported


def test_a_block_of_an_account_is_played_in_its_home_alone() -> None:
    lines = ["account default", "say one", "end", "account work", "say two", "end", "say three"]
    for home, said in (("simulated", ["one", "three"]), ("simulated-work", ["two", "three"])):
        steps = script.parse(lines, 1, script.account_of(f"/home/{home}"))
        assert [step.text for step in steps] == said
