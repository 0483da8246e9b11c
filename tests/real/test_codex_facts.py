"""What swarm-tui relies on in Codex, pinned on the real binary (see docs/codex.md).

Every test runs `codex` itself against the loopback model server. Its homes lie under the
repository's `.test-home/`, since Codex wants none under the system's temporary folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from loopback import (
    PLAN_TOOL,
    LoopbackServer,
    Step,
    add_file,
    call,
    closed_port,
    codex_binary,
    codex_env,
    codex_home,
    command,
    context_window,
    delete_file,
    first,
    hang,
    http_error,
    message,
    overloaded,
    patch,
    plan,
    quota_exceeded,
    rate_limited,
    rate_limits,
    reasoning,
    response_failed,
    server_error,
    stream_cut,
    together,
    unauthorized,
    update_file,
    usage,
    usage_limit,
)

from engine.agents.codex.rollout import find

Json = dict[str, Any]

WRITE = ("-s", "workspace-write")
RESUME_WRITE = ("-c", 'sandbox_mode="workspace-write"')
PLAN = ("-c", PLAN_TOOL)
HIGH_DEMAND = "We’re currently experiencing high demand, which may cause temporary errors."
LIMIT = "You’ve hit your usage limit."
AT = r"(at \d{1,2}:\d{2} [AP]M|at [A-Z][a-z]{2} \d{1,2}(st|nd|rd|th), \d{4} \d{1,2}:\d{2} [AP]M)"
HOLD = "exec 9>alive; echo up >&9; sleep 300; echo never"


# --- running Codex --------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """What one process of `codex exec --json` left."""

    code: int
    events: list[Json]
    stderr: str

    @property
    def thread(self) -> str:
        """The thread's id."""
        return str(next(e["thread_id"] for e in self.events if e["type"] == "thread.started"))

    @property
    def failure(self) -> str:
        """The text of `turn.failed`."""
        return str(next(e["error"]["message"] for e in self.events if e["type"] == "turn.failed"))

    @property
    def errors(self) -> list[str]:
        """The texts of top-level `error` events, in order."""
        return [e["message"] for e in self.events if e["type"] == "error"]

    @property
    def usage(self) -> Json:
        """The usage that `turn.completed` tells."""
        return next(e["usage"] for e in self.events if e["type"] == "turn.completed")

    def items(self, kind: str, event: str = "item.completed") -> list[Json]:
        """Return the items of one kind and one event, without their ids."""
        found = [e["item"] for e in self.events if e["type"] == event]
        return [{k: v for k, v in i.items() if k != "id"} for i in found if i["type"] == kind]


@dataclass(frozen=True)
class Codex:
    """A home and a workspace for the real binary."""

    home: Path
    workspace: Path
    env: dict[str, str]

    def run(self, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run any subcommand to its end."""
        return subprocess.run(
            [codex_binary(), *args],
            input=stdin,
            text=True,
            capture_output=True,
            env=self.env,
            cwd=self.workspace,
            timeout=60,
            check=False,
        )

    def exec(self, prompt: str, *args: str, thread: str | None = None) -> Result:
        """Run a turn with the prompt on stdin, in a new thread or in `thread`."""
        resume = () if thread is None else ("resume",)
        ids = () if thread is None else (thread,)
        done = self.run(
            "exec", *resume, "--json", "--skip-git-repo-check", *args, *ids, "-", stdin=prompt
        )
        return Result(done.returncode, _events(done.stdout), done.stderr)

    def start(self, prompt: str, *args: str) -> subprocess.Popen[str]:
        """Start a turn and leave it running."""
        return subprocess.Popen(
            [codex_binary(), "exec", "--json", "--skip-git-repo-check", *args, prompt],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.env,
            cwd=self.workspace,
        )

    def rollout(self, kind: str) -> list[Json]:
        """Return the `event_msg` payloads of a kind in this home's only rollout."""
        (file,) = self.home.glob("sessions/*/*/*/rollout-*.jsonl")
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        return [x["payload"] for x in lines if x["payload"].get("type") == kind]


NewCodex = Callable[..., Codex]


def _events(stdout: str) -> list[Json]:
    return [json.loads(line) for line in stdout.splitlines()]


def _until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    """Read stdout up to the line that holds `wanted`."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if wanted in line:
            return lines
    raise AssertionError(f"{wanted!r} never came: {lines}")


@pytest.fixture
def new_codex(lab: Path, server: LoopbackServer) -> NewCodex:
    """Make a Codex; options as for `codex_home`, plus `at`, another base URL."""

    def make(at: str | None = None, **options: Any) -> Codex:
        folder = lab / uuid.uuid4().hex[:6]
        home = codex_home(folder / "home", at or server, **options)
        workspace = folder / "workspace"
        workspace.mkdir()
        return Codex(home, workspace, codex_env(home))

    return make


@pytest.fixture
def codex(new_codex: NewCodex) -> Codex:
    """Make a Codex that never retries."""
    return new_codex()


# --- the stream -----------------------------------------------------------------------------


def test_version() -> None:
    done = subprocess.run(
        [codex_binary(), "--version"], text=True, capture_output=True, timeout=30, check=True
    )
    assert re.fullmatch(r"codex-cli \d+\.\d+\.\d+\n", done.stdout)


def test_smallest_turn(codex: Codex) -> None:
    result = codex.exec("hello")
    kinds = ["thread.started", "turn.started", "item.completed", "turn.completed"]
    assert (result.code, [e["type"] for e in result.events]) == (0, kinds)
    assert result.stderr == ""
    assert str(uuid.UUID(result.thread)) == result.thread
    assert result.events[2]["item"] == {"id": "item_0", "type": "agent_message", "text": "OK."}
    assert result.usage == {
        "input_tokens": 1000,
        "cached_input_tokens": 200,
        "cache_write_input_tokens": 0,
        "output_tokens": 50,
        "reasoning_output_tokens": 10,
    }


def test_long_prompt_from_stdin_arrives_whole(codex: Codex, server: LoopbackServer) -> None:
    prompt = "[script:default]\n" + "ä line of the prompt\n" * 20_000
    assert codex.exec(prompt).code == 0
    (request,) = server.requests
    assert request.body["input"][-1]["content"][0]["text"].strip() == prompt.strip()


def test_prompt_argument_still_reads_stdin(codex: Codex, server: LoopbackServer) -> None:
    done = codex.run("exec", "--json", "--skip-git-repo-check", "the prompt", stdin="more")
    assert done.stderr == "Reading additional input from stdin...\n"
    text = server.requests[0].body["input"][-1]["content"][0]["text"]
    assert text == "the prompt\n\n<stdin>\nmore\n</stdin>"


def test_empty_prompt(codex: Codex) -> None:
    result = codex.exec("")
    assert (result.code, result.events) == (1, [])
    assert result.stderr == "No prompt provided via stdin.\n"


def test_plan_flow(codex: Codex, server: LoopbackServer) -> None:
    prompt = server.script(
        "plan",
        [
            plan([("a", "in_progress"), ("b", "pending")]),
            plan([("a", "completed"), ("b", "in_progress")]),
            message("I stop here."),
        ],
    )
    result = codex.exec(prompt, *PLAN)
    flow = [e for e in result.events if e.get("item", {}).get("type") == "todo_list"]
    undone = [{"text": "a", "completed": False}, {"text": "b", "completed": False}]
    half = [{"text": "a", "completed": True}, {"text": "b", "completed": False}]
    assert flow == [
        {"type": event, "item": {"id": "item_0", "type": "todo_list", "items": items}}
        for event, items in [
            ("item.started", undone),
            ("item.updated", half),
            ("item.completed", half),  # says that the turn ended, not that the plan is done
        ]
    ]
    assert result.events[-2]["item"]["type"] == "todo_list"


def test_plan_tool_is_off_by_default(codex: Codex, server: LoopbackServer) -> None:
    prompt = server.script("plan", [plan([("a", "pending")]), message("x")])
    result = codex.exec(prompt)
    assert (result.code, result.items("todo_list")) == (0, [])
    assert "unsupported call: update_plan" in result.stderr
    tools = json.dumps(server.requests[0].body["tools"])
    assert "update_plan" not in tools
    codex.exec("hello", *PLAN)
    assert "update_plan" in json.dumps(server.requests[-1].body["tools"])


def test_reasoning_and_messages(codex: Codex, server: LoopbackServer, lab: Path) -> None:
    steps = [together(reasoning("**Why**"), message("first"), command("true")), message("last")]
    result = codex.exec(server.script("talk", steps), "-o", str(lab / "last.txt"))
    assert result.items("reasoning") == [{"type": "reasoning", "text": "**Why**"}]
    texts = [item["text"] for item in result.items("agent_message")]
    assert texts == ["first", "last"]
    assert (lab / "last.txt").read_text("utf-8") == "last"


def test_commands(codex: Codex, server: LoopbackServer) -> None:
    steps = [command("echo out; echo err >&2"), command("echo no >&2; exit 7"), message("x")]
    result = codex.exec(server.script("commands", steps), *WRITE)
    assert result.code == 0
    good, bad = result.items("command_execution")
    assert sorted(good.pop("aggregated_output").split()) == ["err", "out"]
    assert good == {
        "type": "command_execution",
        "command": "/bin/bash -lc 'echo out; echo err >&2'",
        "exit_code": 0,
        "status": "completed",
    }
    assert bad == {
        "type": "command_execution",
        "command": "/bin/bash -lc 'echo no >&2; exit 7'",
        "aggregated_output": "no\n",
        "exit_code": 7,
        "status": "failed",
    }
    assert result.items("command_execution", "item.started")[0] == {
        "type": "command_execution",
        "command": "/bin/bash -lc 'echo out; echo err >&2'",
        "aggregated_output": "",
        "exit_code": None,
        "status": "in_progress",
    }


def test_command_still_running_at_the_end_of_the_turn(codex: Codex, server: LoopbackServer) -> None:
    os.mkfifo(codex.workspace / "alive")
    prompt = server.script("bg", [command(HOLD, yield_time_ms=250), message("bye")])
    process = codex.start(prompt, *WRITE)
    with (codex.workspace / "alive").open() as alive:
        assert alive.readline() == "up\n"
        out, _ = process.communicate(timeout=60)
        assert alive.read() == ""  # nothing holds the pipe: killed with the turn
    result = Result(process.returncode, _events(out), "")
    assert result.code == 0
    assert len(result.items("command_execution", "item.started")) == 1
    assert result.items("command_execution") == []  # never closed


def test_file_changes(codex: Codex, server: LoopbackServer) -> None:
    steps = [
        patch(add_file("a.txt", "x") + add_file("sub/b.txt", "y")),
        patch(update_file("a.txt", "x", "z")),
        patch("*** Update File: a.txt\n*** Move to: c.txt\n@@\n-z\n+zz"),
        patch(delete_file("c.txt")),
        command(
            f"apply_patch <<'EOF'\n*** Begin Patch\n{add_file('d.txt', 'x')}*** End Patch\nEOF"
        ),
        message("x"),
    ]
    result = codex.exec(server.script("files", steps), *WRITE)
    changes = [item["changes"] for item in result.items("file_change")]
    here = str(codex.workspace)
    assert changes == [
        [{"path": f"{here}/a.txt", "kind": "add"}, {"path": f"{here}/sub/b.txt", "kind": "add"}],
        [{"path": f"{here}/a.txt", "kind": "update"}],
        [{"path": f"{here}/a.txt", "kind": "update"}],  # a move: the new name is not told
        [{"path": f"{here}/c.txt", "kind": "delete"}],
        [{"path": f"{here}/d.txt", "kind": "add"}],
    ]
    assert {item["status"] for item in result.items("file_change")} == {"completed"}
    started = result.items("file_change", "item.started")
    assert started[0] == {"type": "file_change", "changes": changes[0], "status": "in_progress"}
    assert sorted(p.name for p in codex.workspace.rglob("*.txt")) == ["b.txt", "d.txt"]


def test_tools_that_fail_to_start_leave_no_item(codex: Codex, server: LoopbackServer) -> None:
    steps = [
        patch(update_file("nothing.txt", "a", "b")),
        patch(add_file("../outside.txt", "x")),
        call("no_such_tool", {}),
        command("rm -rf build"),
        message("x"),
    ]
    result = codex.exec(server.script("nothing", steps), *WRITE)
    assert [e["type"] for e in result.events[2:]] == ["item.completed", "turn.completed"]
    for text in (
        "apply_patch verification failed: Failed to read file to update",
        "patch rejected: writing outside of the project; rejected by user approval settings",
        "unsupported call: no_such_tool",
        "rm -f style commands are not permitted",
    ):
        assert text in result.stderr


def test_warnings_are_error_items(new_codex: NewCodex) -> None:
    result = new_codex(model="mystery", extra="no_such_setting = 1").exec("hello")
    assert result.code == 0
    texts = [item["message"] for item in result.items("error")]
    assert (
        "Model metadata for `mystery` not found. Defaulting to fallback metadata; "
        "this can degrade performance and cause issues." in texts
    )
    assert any(
        t.startswith("Codex is ignoring 1 unrecognized configuration setting.") for t in texts
    )
    assert result.errors == []
    assert result.events[1]["type"] == "item.completed"  # even before turn.started


def test_compaction_is_a_warning(codex: Codex, server: LoopbackServer) -> None:
    steps = [command("echo 1").using(usage(250_000)), command("echo 2"), message("x")]
    result = codex.exec(server.script("long", steps))
    assert [r.position for r in server.requests] == [0, -1, 1, 2]
    warnings = [item["message"] for item in result.items("error")]
    if warnings:  # 0.163 sends an item, too; 0.171 writes only the rollout
        assert warnings[0].startswith("Heads up: Long threads and multiple compactions")
    assert '"type":"compacted"' in "".join(
        path.read_text() for path in codex.home.rglob("rollout-*.jsonl")
    )
    assert len(result.items("command_execution")) == 2


# --- failures -------------------------------------------------------------------------------


FAILURES = {
    "401": (
        unauthorized(),
        r"unexpected status 401 Unauthorized: Incorrect API key provided, url: http://\S+/responses",
    ),
    "403": (
        http_error(403, "no"),
        r"unexpected status 403 Forbidden: no, url: http://\S+/responses",
    ),
    "404": (
        http_error(404, "no"),
        r"unexpected status 404 Not Found: no, url: http://\S+/responses",
    ),
    "400": (
        http_error(400, {"error": {"message": "no"}}),
        re.escape('{"error": {"message": "no"}}'),
    ),
    "429": (rate_limited(), "exceeded retry limit, last status: 429 Too Many Requests"),
    "rate in stream": (response_failed("rate_limit_exceeded", "no"), "rate limit exceeded: no"),
    "quota": (quota_exceeded(), r"Quota exceeded\. Check your plan and billing details\."),
    "quota 429": (
        http_error(429, {"error": {"code": "insufficient_quota", "type": "insufficient_quota"}}),
        r"Quota exceeded\. Check your plan and billing details\.",
    ),
    "limit plus": (
        usage_limit(3600, "plus"),
        LIMIT + r" Upgrade to Pro \(https://chatgpt\.com/explore/pro\), visit "
        rf"https://chatgpt\.com/settings/usage to purchase more credits or try again {AT}\.",
    ),
    "limit pro": (
        usage_limit(3 * 86_400, "pro"),
        LIMIT + r" Visit https://chatgpt\.com/settings/usage to purchase more credits or try again "
        rf"{AT}\.",
    ),
    "limit team": (
        usage_limit(3 * 86_400, "team"),
        LIMIT + rf" To get more access now, send a request to your admin or try again {AT}\.",
    ),
    "limit, no time": (
        http_error(429, {"error": {"type": "usage_limit_reached"}}),
        LIMIT + r" Try again later\.",
    ),
    "plan without Codex": (
        http_error(429, {"error": {"type": "usage_not_included"}}),
        r"To use Codex with your ChatGPT plan, upgrade to Plus: https://chatgpt\.com/explore/plus\.",
    ),
    "500": (server_error(500), re.escape(HIGH_DEMAND)),
    "502": (
        http_error(502, "<html>no</html>"),
        r"unexpected status 502 Bad Gateway: <html>no</html>, url: http://\S+/responses",
    ),
    "503": (
        server_error(503),
        r"unexpected status 503 Service Unavailable: The server had an error, url: "
        r"http://\S+/responses",
    ),
    "overloaded": (
        overloaded(),
        r"Selected model is at capacity\. Please try a different model\.",
    ),
    "cut": (
        stream_cut(),
        r"stream disconnected before completion: stream closed before response\.completed",
    ),
    "other in stream": (
        response_failed("something", "Odd."),
        r"stream disconnected before completion: Odd\.",
    ),
    "context window": (
        context_window(),
        r"Codex ran out of room in the model's context window\. Start a new thread or clear "
        r"earlier history before retrying\.",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failure(name: str, codex: Codex, server: LoopbackServer) -> None:
    step, text = FAILURES[name]
    result = codex.exec(server.script("fails", [step]))
    assert result.code == 1
    assert re.fullmatch(text, result.failure)
    assert result.events[-1] == {"type": "turn.failed", "error": {"message": result.failure}}
    assert result.errors == [result.failure]  # an `error` of the same text comes just before


@pytest.mark.parametrize(
    ("name", "step", "requests", "reconnects"),
    [
        ("401", unauthorized(), 2, 1),
        ("429", rate_limited(), 1, 0),
        ("500", server_error(), 4, 1),
        ("overloaded", overloaded(), 2, 0),
        ("cut", stream_cut(), 2, 1),
    ],
)
def test_retries(
    name: str,
    step: Step,
    requests: int,
    reconnects: int,
    new_codex: NewCodex,
    server: LoopbackServer,
) -> None:
    codex = new_codex(request_max_retries=1, stream_max_retries=1)
    result = codex.exec(server.script(name, [step]))
    assert len(server.requests) == requests
    transient = [f"Reconnecting... 1/1 ({result.failure})"] * reconnects
    assert result.errors == [*transient, result.failure]


def test_recovers_from_a_cut(new_codex: NewCodex, server: LoopbackServer) -> None:
    step = first(1, stream_cut(message("part")), message("whole"))
    result = new_codex(stream_max_retries=1).exec(server.script("cut", [step]))
    assert result.code == 0
    assert [item["text"] for item in result.items("agent_message")] == ["part", "whole"]
    assert len(result.errors) == 1


def test_without_network_it_waits_for_ever(new_codex: NewCodex) -> None:
    codex = new_codex(at=closed_port())  # no retries: the limit does not apply
    waiting = "Reconnecting... waiting for network (Connection failed: error sending request)"
    process = codex.start("hello")
    assert json.loads(_until(process, "network")[-1]) == {"type": "error", "message": waiting}
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=60)


def test_without_network_and_bounded_it_fails(new_codex: NewCodex) -> None:
    codex = new_codex(at=closed_port(), stream_max_retries=1)
    result = codex.exec("hello", "-c", "features.unbounded_connection_retries=false")
    text = "Connection failed: error sending request"
    assert (result.code, result.failure) == (1, text)
    assert result.errors == [f"Reconnecting... 1/1 ({text})", text]


def test_silent_stream(new_codex: NewCodex, server: LoopbackServer) -> None:
    codex = new_codex(stream_idle_timeout_ms=300)
    result = codex.exec(server.script("silent", [hang(message("x"))]))
    text = "stream disconnected before completion: idle timeout waiting for SSE"
    assert (result.code, result.failure) == (1, text)


def test_server_that_never_answers(new_codex: NewCodex, server: LoopbackServer) -> None:
    codex = new_codex(stream_idle_timeout_ms=300)
    process = codex.start(server.script("dead", [hang()]))
    server.wait_for_requests(1)
    with pytest.raises(subprocess.TimeoutExpired):  # the idle timeout starts with the stream
        process.wait(1)
    process.terminate()
    out, _ = process.communicate(timeout=60)
    assert [e["type"] for e in _events(out)] == ["thread.started", "turn.started"]


def test_bad_config(new_codex: NewCodex) -> None:
    syntax = new_codex(extra="this = = bad").exec("hello")
    assert (syntax.code, syntax.events) == (1, [])
    assert re.match(r"Error loading config\.toml:\n/\S+/config\.toml:3:8: ", syntax.stderr)
    value = new_codex(extra='sandbox_mode = "odd"').exec("hello")
    assert (value.code, value.events) == (1, [])
    assert value.stderr.startswith("Error loading config.toml: unknown variant `odd`, expected one")


def test_untrusted_folder(codex: Codex, tmp_path: Path) -> None:
    done = codex.run("exec", "--json", "-C", str(tmp_path), "-", stdin="hello")
    text = "Not inside a trusted directory and --skip-git-repo-check was not specified.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", text)


def test_unknown_thread(codex: Codex, server: LoopbackServer) -> None:
    thread = str(uuid.uuid4())
    result = codex.exec("hello", thread=thread)
    text = f"thread/resume: thread/resume failed: no rollout found for thread id {thread}"
    assert (result.code, result.events) == (1, [])
    assert result.stderr.startswith(f"Error: {text} (code -32600)")
    assert server.requests == []


def test_thread_id_that_is_no_uuid_starts_a_new_thread(codex: Codex) -> None:
    result = codex.exec("hello", thread="not-a-thread")
    assert (result.code, result.errors) == (0, [])
    assert str(uuid.UUID(result.thread)) == result.thread


# --- stopping and resuming ------------------------------------------------------------------


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Signal Codex itself: npm's is a Node.js program, which cannot hand on a SIGKILL."""
    wrapper = psutil.Process(process.pid)
    if number is signal.SIGKILL and wrapper.name() in ("node", "MainThread"):
        for program in wrapper.children():
            program.kill()
        return
    process.send_signal(number)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 1), (signal.SIGTERM, -15), (signal.SIGKILL, -9)]
)
def test_signal_mid_command(
    number: signal.Signals, code: int, codex: Codex, server: LoopbackServer
) -> None:
    os.mkfifo(codex.workspace / "alive")
    process = codex.start(server.script("hold", [command(HOLD)]), *WRITE)
    with (codex.workspace / "alive").open() as alive:
        assert alive.readline() == "up\n"
        _until(process, "sleep 300")
        _signal(process, number)
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, out) == (code, "")  # no closing event
        assert alive.read() == ""  # the command and its children are gone


def test_unsandboxed_children_outlive_sigterm(codex: Codex, server: LoopbackServer) -> None:
    os.mkfifo(codex.workspace / "alive")
    held = "exec 9>alive; echo $$ >&9; sleep 300; echo never"
    steps = [command(held)]
    process = codex.start(server.script("hold", steps), "-s", "danger-full-access")
    with (codex.workspace / "alive").open() as alive:
        group = int(alive.readline())
        _until(process, "sleep 300")
        process.terminate()
        process.communicate(timeout=60)
        assert group != process.pid
        os.killpg(group, signal.SIGKILL)  # would raise if nothing of the command were left
        assert alive.read() == ""


def test_resume_after_sigterm(codex: Codex, server: LoopbackServer, lab: Path) -> None:
    os.mkfifo(codex.workspace / "alive")
    turns = [[command("echo one > one.txt"), command(HOLD)], [command("cat one.txt"), message("x")]]
    process = codex.start(server.script("kill", *turns), *WRITE)
    with (codex.workspace / "alive").open() as alive:
        lines = _until(process, "sleep 300")
        assert alive.readline() == "up\n"
        process.terminate()
        process.communicate(timeout=60)
    thread = json.loads(lines[0])["thread_id"]
    assert len(codex.rollout("token_count")) == 1  # the request under way is not counted
    (codex.workspace / "alive").unlink()

    elsewhere = Codex(codex.home, codex.workspace, codex_env(codex.home, lab / "other-sqlite"))
    second = elsewhere.exec("Go on.", *RESUME_WRITE, thread=thread)
    assert (second.code, second.thread) == (0, thread)
    assert second.items("command_execution")[0]["aggregated_output"] == "one\n"
    assert second.events[2]["item"]["id"] == "item_0"  # item ids begin again in each process
    assert second.usage["input_tokens"] == 3000  # 1000 before, 2000 now: the thread's total
    third = codex.exec("Go on.", *RESUME_WRITE, thread=thread)
    assert third.usage["input_tokens"] == 5000


def test_resume_of_a_compressed_rollout(codex: Codex, server: LoopbackServer) -> None:
    zstd = shutil.which("zstd")
    if zstd is None:
        pytest.skip("zstd is not installed")
    first = codex.exec(server.script("one", [message("x")], [message("y")]))
    assert first.thread
    (plain,) = codex.home.glob(f"sessions/*/*/*/rollout-*-{first.thread}.jsonl")
    subprocess.run([zstd, "-q", "--rm", plain], check=True, timeout=30)
    compressed = plain.with_name(f"{plain.name}.zst")
    assert find(codex.home, first.thread) == compressed
    resumed = codex.exec("Go on.", thread=first.thread)
    assert (resumed.code, resumed.thread) == (0, first.thread)
    assert find(codex.home, first.thread) == plain  # written again, whole
    assert not compressed.exists()


def test_failed_turn_counts_in_the_running_total(codex: Codex, server: LoopbackServer) -> None:
    prompt = server.script("half", [command("true"), unauthorized()], [message("x")])
    failed = codex.exec(prompt)
    assert failed.code == 1
    assert "usage" not in failed.events[-1]
    assert codex.rollout("token_count")[-1]["info"]["total_token_usage"]["input_tokens"] == 1000
    assert codex.exec("again", thread=failed.thread).usage["input_tokens"] == 2000


def test_resume_takes_no_sandbox_option(codex: Codex) -> None:
    result = codex.exec("hello", *WRITE, thread=str(uuid.uuid4()))
    assert result.code == 2
    assert "unexpected argument '-s' found" in result.stderr


# --- the sandbox ----------------------------------------------------------------------------


def test_workspace_write_confines(codex: Codex, server: LoopbackServer, lab: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=codex.workspace, check=True, timeout=30)
    port = server.url.split(":")[2].split("/")[0]
    forbidden = [
        f"echo x > {lab}/outside",
        f"exec 3<>/dev/tcp/127.0.0.1/{port}",
        "echo x > .git/inside",
        "git commit --allow-empty -m x",
    ]
    steps = [command(f"sleep 0.3; {cmd}") for cmd in forbidden]
    result = codex.exec(
        server.script("box", [*steps, command("echo x > inside"), message("x")]), *WRITE
    )
    *denied, allowed = result.items("command_execution")
    assert [item["status"] for item in denied] == ["failed"] * 4
    texts = [item["aggregated_output"] for item in denied]
    for index, text in enumerate(
        ["Read-only file system", "Operation not permitted", "Read-only file system", ".git/index"]
    ):
        assert text in texts[index]
    assert allowed["exit_code"] == 0
    assert (codex.workspace / "inside").exists()
    assert not (lab / "outside").exists()


def test_quick_denied_commands_leave_no_item(
    codex: Codex, server: LoopbackServer, lab: Path
) -> None:
    steps = [*[command(f"echo x > {lab}/outside")] * 8, message("x")]
    result = codex.exec(server.script("quick", steps), *WRITE)
    assert result.code == 0
    assert len(server.requests) == 9
    assert len(result.items("command_execution")) < 8  # none, but for slow moments of a machine
    assert "Read-only file system" in server.requests[-1].body["input"][-1]["output"]


def test_default_sandbox_is_read_only(codex: Codex, server: LoopbackServer) -> None:
    result = codex.exec(server.script("ro", [command("sleep 0.3; touch x"), message("x")]))
    assert result.items("command_execution")[0]["exit_code"] == 1
    assert not (codex.workspace / "x").exists()


# --- files, limits, other subcommands -------------------------------------------------------


def test_rollout_tells_tokens_and_limits(codex: Codex, server: LoopbackServer) -> None:
    limits = rate_limits(12.5, 40)
    prompt = server.script("limits", [command("true").with_headers(limits), message("x")])
    result = codex.exec(prompt)
    (file,) = codex.home.glob("sessions/*/*/*/rollout-*.jsonl")
    assert re.fullmatch(
        rf"rollout-\d{{4}}-\d\d-\d\dT\d\d-\d\d-\d\d-{result.thread}\.jsonl", file.name
    )
    one, two = codex.rollout("token_count")
    assert one["info"]["model_context_window"] == 258_400
    assert one["info"]["last_token_usage"]["total_tokens"] == 1050
    assert two["info"]["total_token_usage"]["input_tokens"] == 2000
    reset = int(limits["x-codex-primary-reset-at"])
    assert one["rate_limits"]["primary"] == {
        "used_percent": 12.5,
        "window_minutes": 300,
        "resets_at": reset,
    }
    assert one["rate_limits"]["secondary"] == {
        "used_percent": 40.0,
        "window_minutes": 10_080,
        "resets_at": reset,
    }
    assert two["rate_limits"]["primary"] is None  # that response had no such headers


def test_rollout_tells_the_limit_that_was_hit(codex: Codex, server: LoopbackServer) -> None:
    codex.exec(server.script("limit", [command("true"), usage_limit()]))
    last = codex.rollout("token_count")[-1]
    assert last["rate_limits"]["primary"]["used_percent"] == 100
    assert last["info"]["total_token_usage"]["input_tokens"] == 1000
    (end,) = codex.rollout("task_complete")
    assert end["error"]["codex_error_info"] == "usage_limit_exceeded"


def test_rollout_tells_no_limits_of_a_429(codex: Codex, server: LoopbackServer) -> None:
    codex.exec(server.script("429", [rate_limited().with_headers(rate_limits(77))]))
    assert codex.rollout("token_count") == []
    (end,) = codex.rollout("task_complete")
    info = {"response_too_many_failed_attempts": {"http_status_code": 429}}
    assert end["error"]["codex_error_info"] == info


def test_sqlite_home_moves_only_the_databases(codex: Codex, lab: Path) -> None:
    other = Codex(codex.home, codex.workspace, codex_env(codex.home, lab / "sqlite"))
    assert other.exec("hello").code == 0
    names = {path.name for path in (lab / "sqlite").glob("*.sqlite")}
    assert {"state_5.sqlite", "logs_2.sqlite"} <= names
    assert list(codex.home.rglob("*.sqlite")) == []
    assert (codex.home / "sessions").is_dir()


def test_many_at_once_in_one_home(codex: Codex, lab: Path) -> None:
    def run(number: int) -> Result:
        env = codex_env(codex.home, lab / f"sqlite-{number}")
        return Codex(codex.home, codex.workspace, env).exec("hello")

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(run, range(6)))
    assert [(r.code, r.usage["input_tokens"]) for r in results] == [(0, 1000)] * 6
    assert len({r.thread for r in results}) == 6


def test_home_under_the_temporary_folder_warns(
    server: LoopbackServer, tmp_path: Path, codex: Codex
) -> None:
    home = codex_home(tmp_path / "home", server)
    result = Codex(home, codex.workspace, codex_env(home)).exec("hello")
    assert result.code == 0
    assert result.stderr.startswith(
        "WARNING: proceeding, even though we could not create PATH aliases: "
        "Refusing to create helper binaries under temporary dir"
    )


def test_login_status(codex: Codex) -> None:
    out = codex.run("login", "status")
    assert (out.returncode, out.stdout, out.stderr) == (1, "", "Not logged in\n")
    key = "sk-test-" + "a" * 24
    assert codex.run("login", "--with-api-key", stdin=key).returncode == 0
    into = codex.run("login", "status")
    assert (into.returncode, into.stdout) == (0, "")
    # 0.163: `Logged in using an API key - …`; 0.171: `API key configured - …`, and a second line.
    assert into.stderr.splitlines()[0].endswith(" - sk-test-***aaaaa")


def test_login_status_with_a_bad_config(new_codex: NewCodex) -> None:
    done = new_codex(extra="this = = bad").run("login", "status")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(r"Error loading configuration: /\S+/config\.toml:3:8: ", done.stderr)


def test_doctor(codex: Codex) -> None:
    done = codex.run("doctor", "--json")
    report = json.loads(done.stdout)
    assert set(report) == {
        "schemaVersion",
        "generatedAt",
        "overallStatus",
        "codexVersion",
        "checks",
    }
    assert (done.returncode, report["overallStatus"]) in {(0, "ok"), (0, "warning")}
    checks: Json = report["checks"]
    keys = {"id", "category", "status", "summary", "details", "remediation", "durationMs"}
    assert all(keys <= set(check) for check in checks.values())
    auth = checks["auth.credentials"]
    assert auth["summary"] == "OpenAI auth is not required for the active model provider"


def test_doctor_finds_what_is_wrong(new_codex: NewCodex, lab: Path) -> None:
    bad = new_codex(extra="this = = bad").run("doctor", "--json")
    config = json.loads(bad.stdout)["checks"]["config.load"]
    assert (bad.returncode, config["status"]) == (1, "fail")
    assert config["remediation"] == "Fix the reported config error, then rerun codex doctor."
    down = new_codex(at=closed_port()).run("doctor", "--json")
    reach = json.loads(down.stdout)["checks"]["network.provider_reachability"]
    assert (down.returncode, reach["status"]) == (1, "fail")
    assert reach["summary"] == "one or more required provider endpoints are unreachable over HTTP"
