"""A model server on 127.0.0.1 that makes the real Codex do what a script says.

It speaks as much of the Responses API (server-sent events) as `codex exec --json` needs, so that
the real binary runs real commands and real patches offline and without an account:

    with LoopbackServer() as server:
        server.script("build", [command("make"), patch(add_file("a.txt", "x")), message("Done.")])
        home = codex_home(folder, server)
        subprocess.run([*codex_exec(), "[script:build] Please build."], env=codex_env(home))

A script is a list of steps; each model request plays the next one. The server keeps no state
per thread: which step is due follows from the request itself (how many tool outputs came since
the last user message), so any number of Codex processes may use one server at once.
"""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

Json = dict[str, Any]
PlanStatus = Literal["pending", "in_progress", "completed"]

MODEL = "gpt-5.5"
PLAN_TOOL = "tools.update_plan={enabled=true}"
DEFAULT = "default"

_MARKER = re.compile(r"\[script:([\w.-]+)(?:@(\d+)\+(\d+))?\]")
_INSERTED = re.compile(r"\s*(<[a-z_]+>|# AGENTS\.md)")
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})
_CALLS = frozenset({"function_call", "custom_tool_call"})
_SECRET = re.compile(r"(OPENAI|CODEX|AZURE_OPENAI)_|_PROXY$", re.IGNORECASE)


# --- what a step is -------------------------------------------------------------------------


@dataclass(frozen=True)
class Usage:
    """What one model request is said to have cost."""

    input_tokens: int = 1000
    cached_input_tokens: int = 200
    output_tokens: int = 50
    reasoning_output_tokens: int = 10

    def wire(self) -> Json:
        """Return the usage as the Responses API writes it."""
        return {
            "input_tokens": self.input_tokens,
            "input_tokens_details": {"cached_tokens": self.cached_input_tokens},
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": self.reasoning_output_tokens},
            "total_tokens": self.input_tokens + self.output_tokens,
        }


@dataclass(frozen=True)
class Step:
    """One answer to one model request: items, or a failure, or both (a stream that breaks)."""

    items: tuple[Json, ...] = ()
    usage: Usage = Usage()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    status: int = 200
    body: str = ""
    ending: Literal["completed", "failed", "cut", "hang"] = "completed"
    error: Json | None = None
    gate: threading.Event | None = None
    times: int | None = None
    then: Step | None = None

    @property
    def calls(self) -> int:
        """Number of tool outputs that Codex sends back for this step."""
        return sum(item["type"] in _CALLS for item in self.items)

    def using(self, usage: Usage) -> Step:
        """Return the same step with another usage."""
        return replace(self, usage=usage)

    def with_headers(self, headers: Mapping[str, str]) -> Step:
        """Return the same step with more response headers, for instance `rate_limits(...)`."""
        return replace(self, headers={**self.headers, **headers})

    def after(self, gate: threading.Event) -> Step:
        """Return the same step, answered only once `gate` is set (or the server closes)."""
        return replace(self, gate=gate)


def usage(tokens: int, cached: int = 0, output: int = 0, reasoning: int = 0) -> Usage:
    """Return what a request costs, input tokens first; use it as `step.using(usage(...))`."""
    return Usage(tokens, cached, output, reasoning)


def message(text: str) -> Step:
    """Say something; without a tool call in the same step this ends the turn."""
    content = [{"type": "output_text", "text": text}]
    return Step(({"type": "message", "role": "assistant", "content": content},))


def reasoning(text: str) -> Step:
    """Show a reasoning summary; combine it with a call, or the turn ends here."""
    summary = [{"type": "summary_text", "text": text}]
    return Step(({"type": "reasoning", "summary": summary},))


def command(cmd: str, yield_time_ms: int | None = None, workdir: str | None = None) -> Step:
    """Run a shell command; Codex asks again when it ended or `yield_time_ms` passed."""
    arguments: Json = {"cmd": cmd}
    if yield_time_ms is not None:
        arguments["yield_time_ms"] = yield_time_ms
    if workdir is not None:
        arguments["workdir"] = workdir
    return call("exec_command", arguments)


def patch(text: str) -> Step:
    """Apply a patch; `text` is what stands between `*** Begin Patch` and `*** End Patch`."""
    body = f"*** Begin Patch\n{text.strip(chr(10))}\n*** End Patch\n"
    return Step(({"type": "custom_tool_call", "name": "apply_patch", "input": body},))


def plan(steps: Sequence[tuple[str, PlanStatus]]) -> Step:
    """Set the plan; Codex must run with `-c PLAN_TOOL`."""
    return call("update_plan", {"plan": [{"step": s, "status": status} for s, status in steps]})


def call(name: str, arguments: Json) -> Step:
    """Call any function tool."""
    return Step(({"type": "function_call", "name": name, "arguments": json.dumps(arguments)},))


def execute(javascript: str) -> Step:
    """Run JavaScript, as a model in code mode does: `await tools.exec_command({cmd: ...})`."""
    return Step(({"type": "custom_tool_call", "name": "exec", "input": javascript},))


def call_in(namespace: str, name: str, arguments: Json) -> Step:
    """Call a function tool of a namespace, for instance `clock` and `sleep`."""
    item = {"type": "function_call", "namespace": namespace, "name": name}
    return Step(({**item, "arguments": json.dumps(arguments)},))


def together(*steps: Step) -> Step:
    """Put the items of several steps into one response; the last step says the rest."""
    return replace(steps[-1], items=tuple(item for step in steps for item in step.items))


def add_file(path: str, content: str) -> str:
    """Return the patch text that adds a file."""
    return f"*** Add File: {path}\n" + "".join(f"+{line}\n" for line in content.splitlines())


def update_file(path: str, old: str, new: str) -> str:
    """Return the patch text that replaces one line."""
    return f"*** Update File: {path}\n@@\n-{old}\n+{new}\n"


def delete_file(path: str) -> str:
    """Return the patch text that deletes a file."""
    return f"*** Delete File: {path}\n"


# --- failures -------------------------------------------------------------------------------


def http_error(
    status: int, body: Json | str = "", headers: Mapping[str, str] | None = None
) -> Step:
    """Answer with an HTTP status instead of a stream."""
    text = body if isinstance(body, str) else json.dumps(body)
    return Step(status=status, body=text, headers=dict(headers or {}))


def response_failed(code: str, text: str) -> Step:
    """Open the stream and end it with `response.failed`."""
    return Step(ending="failed", error={"code": code, "message": text})


def unauthorized() -> Step:
    """401: a wrong key."""
    error = {"message": "Incorrect API key provided", "code": "invalid_api_key"}
    return http_error(401, {"error": error})


def rate_limited() -> Step:
    """429: too many requests."""
    return http_error(429, {"error": {"message": "Rate limit reached", "type": "requests"}})


def quota_exceeded() -> Step:
    """Refuse since the account has no credit left."""
    return response_failed("insufficient_quota", "You exceeded your current quota.")


def usage_limit(resets_in: float = 3600, plan_type: str = "plus") -> Step:
    """429: the limit of a ChatGPT plan, with the time at which it ends."""
    error = {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": plan_type,
        "resets_at": int(time.time() + resets_in),
    }
    return http_error(429, {"error": error}, rate_limits(primary=100, resets_in=resets_in))


def server_error(status: int = 500) -> Step:
    """Fail as a broken server does."""
    return http_error(status, {"error": {"message": "The server had an error", "type": "server"}})


def overloaded() -> Step:
    """503: the model is at capacity."""
    return http_error(503, {"error": {"code": "server_is_overloaded", "message": "Overloaded"}})


def context_window() -> Step:
    """Refuse a prompt that is too long for the model."""
    return response_failed("context_length_exceeded", "Your input exceeds the context window.")


def stream_cut(*steps: Step) -> Step:
    """Send the items of `steps`, then drop the connection without an end."""
    return replace(together(*steps) if steps else Step(), ending="cut")


def hang(*steps: Step) -> Step:
    """Accept the request, send the items of `steps`, then nothing until the server closes."""
    return replace(together(*steps) if steps else Step(), ending="hang")


def first(times: int, failure: Step, then: Step) -> Step:
    """Play `failure` to the first requests at this place in a thread, `then` to later ones."""
    return replace(failure, times=times, then=then)


def rate_limits(
    primary: float = 0,
    secondary: float | None = None,
    resets_in: float = 3600,
    minutes: tuple[int, int] = (300, 10080),
) -> dict[str, str]:
    """Return the headers that tell how much of the rate-limit windows is used, in percent."""
    windows = (
        {"primary": primary} if secondary is None else {"primary": primary, "secondary": secondary}
    )
    found: dict[str, str] = {}
    for (name, used), length in zip(windows.items(), minutes, strict=False):
        found[f"x-codex-{name}-used-percent"] = str(used)
        found[f"x-codex-{name}-window-minutes"] = str(length)
        found[f"x-codex-{name}-reset-at"] = str(int(time.time() + resets_in))
    return found


# --- the server -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """One request that reached the server."""

    path: str
    headers: Mapping[str, str]
    body: Json
    script: str
    position: int
    """The step it got; -1 where Codex asked to sum up a long thread."""


@dataclass(frozen=True)
class Bill:
    """A request that was answered to the end, with its usage."""

    model: str
    thread: str
    headers: Mapping[str, str]
    usage: Usage


class LoopbackServer:
    """The model server, as a context manager; close it and hanging requests end."""

    def __init__(self, default: Sequence[Step] | None = None) -> None:
        """Take the script of prompts without a marker; else they are answered with `OK.`."""
        self._scripts: dict[str, list[list[Step]]] = {DEFAULT: [list(default or [message("OK.")])]}
        self._seen: Counter[tuple[str, str, int, int]] = Counter()
        self._lock = threading.Condition()
        self._closing = threading.Event()
        self.requests: list[Request] = []
        self.bills: list[Bill] = []
        self._http = _Http(self)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def url(self) -> str:
        """The base URL for `model_providers`."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def script(self, name: str, *turns: Sequence[Step]) -> str:
        """Set a script, a list of steps for each turn of a thread; return its prompt marker.

        A prompt with the marker plays the first turn; later prompts without one play the next
        turns, the last one again and again.
        """
        self._scripts[name] = [list(turn) for turn in turns]
        return f"[script:{name}]"

    def wait_for_requests(self, count: int, timeout: float = 30) -> list[Request]:
        """Wait until that many model requests came; return all of them."""
        with self._lock:
            if not self._lock.wait_for(lambda: len(self.requests) >= count, timeout):
                raise TimeoutError(f"{len(self.requests)} of {count} model requests came")
            return list(self.requests)

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release what hangs and stop."""
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def choose(self, path: str, headers: Mapping[str, str], body: Json) -> Step:
        """Find the step that this request is due, and keep the request."""
        if '"request_kind":"compaction"' in headers.get("x-codex-turn-metadata", ""):
            return self._compact(path, headers, body)
        name, turn, outputs = _place(body["input"])
        steps = self._turn(name, turn)
        position = _position(steps, outputs)
        self._keep(Request(path, headers, body, name, position))
        step = steps[position] if position < len(steps) else message("(end of the script)")
        return self._unlucky(step, (headers.get("thread-id", ""), name, turn, position))

    def _compact(self, path: str, headers: Mapping[str, str], body: Json) -> Step:
        """Answer a request to sum up the thread: the summary keeps the place in the script."""
        name, turn, outputs = _place(body["input"][:-1])
        self._keep(Request(path, headers, body, name, -1))
        return message(f"[script:{name}@{turn}+{outputs}] What happened so far.")

    def _keep(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)
            self._lock.notify_all()

    def hold(self, gate: threading.Event | None) -> None:
        """Wait for the gate, or for the server to close; without a gate only for the latter."""
        while not self._closing.wait(0.02):
            if gate is not None and gate.is_set():
                return

    def _turn(self, name: str, turn: int) -> list[Step]:
        turns = self._scripts.get(name)
        if not turns:
            return [message(f"(no script {name})")]
        return turns[min(turn, len(turns) - 1)]

    def _unlucky(self, step: Step, place: tuple[str, str, int, int]) -> Step:
        if step.then is None or step.times is None:
            return step
        with self._lock:
            self._seen[place] += 1
            return step if self._seen[place] <= step.times else step.then


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, owner: LoopbackServer) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet: a killed Codex drops its connection, which is no fault here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object, **__: object) -> None:
        """Keep the test output clean."""

    def do_GET(self) -> None:
        """List no models: Codex has its own list, only `codex doctor` asks."""
        self._answer(200, {"content-type": "application/json"}, '{"object":"list","data":[]}')

    def do_POST(self) -> None:
        """Play the step that is due."""
        owner = cast("_Http", self.server).owner
        length = int(self.headers.get("content-length", "0"))
        body = cast("Json", json.loads(self.rfile.read(length) or b"{}"))
        headers = {name.lower(): value for name, value in self.headers.items()}
        step = owner.choose(self.path, headers, body)
        if step.gate is not None:
            owner.hold(step.gate)
        if step.status != 200:
            self._answer(
                step.status, {"content-type": "application/json", **step.headers}, step.body
            )
            return
        self._stream(step, owner)
        if step.ending == "completed":
            thread = headers.get("thread-id", "")
            owner.bills.append(Bill(str(body.get("model")), thread, headers, step.usage))

    def _answer(self, status: int, headers: Mapping[str, str], body: str) -> None:
        data = body.encode()
        self._head(status, {**headers, "content-length": str(len(data))})
        self.wfile.write(data)

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, step: Step, owner: LoopbackServer) -> None:
        if step.ending == "hang" and not step.items:
            owner.hold(None)
            self.close_connection = True
            return
        self._head(200, {"content-type": "text/event-stream", **step.headers})
        for event in _events(step):
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()
        if step.ending == "hang":
            owner.hold(None)


def _events(step: Step) -> list[Json]:
    """Return the server-sent events of a step."""
    name = os.urandom(6).hex()
    events: list[Json] = [{"type": "response.created", "response": {"id": f"resp_{name}"}}]
    for index, item in enumerate(step.items):
        whole: Json = {**item, "id": f"{item['type'][:2]}_{name}_{index}"}
        if item["type"] in _CALLS:
            whole["call_id"] = f"call_{name}_{index}"
        events.append({"type": "response.output_item.done", "output_index": index, "item": whole})
    if step.ending == "completed":
        done: Json = {"id": f"resp_{name}", "output": [], "usage": step.usage.wire()}
        events.append({"type": "response.completed", "response": done})
    elif step.ending == "failed":
        failed: Json = {"id": f"resp_{name}", "status": "failed", "error": step.error}
        events.append({"type": "response.failed", "response": failed})
    return events


def _place(items: Sequence[Json]) -> tuple[str, int, int]:
    """Find the script, the turn and the number of tool outputs since the last user message."""
    name, turn, outputs = DEFAULT, 0, 0
    for item in items:
        if item.get("type") in _OUTPUTS:
            outputs += 1
        text = _prompt(item)
        if text is None:
            continue
        marker = _MARKER.search(text)
        if marker is None:
            turn, outputs = turn + 1, 0
        else:
            name, turn, outputs = marker[1], int(marker[2] or 0), int(marker[3] or 0)
    return name, turn, outputs


def _prompt(item: Json) -> str | None:
    """Return the text of a message that a person wrote, or the task of a sub-agent.

    Messages that Codex puts in do not count.
    """
    if item.get("type") == "agent_message":
        parts = cast("list[Json]", item.get("content", []))
        task = "".join(str(part.get("encrypted_content", "")) for part in parts)
        return task if _MARKER.search(task) else None
    if item.get("type") != "message" or item.get("role") != "user":
        return None
    content = cast("list[Json] | str", item.get("content", ""))
    text = content if isinstance(content, str) else "".join(str(c.get("text", "")) for c in content)
    return text if _MARKER.search(text) or not _INSERTED.match(text) else None


def _position(steps: Sequence[Step], outputs: int) -> int:
    """Find the step that comes after so many tool outputs."""
    for index, step in enumerate(steps):
        if outputs <= 0:
            return index
        outputs -= max(step.calls, 1)
    return len(steps)


# --- running the real Codex -----------------------------------------------------------------


def codex_binary() -> str:
    """Return the real Codex: what SWARM_REAL_CODEX names, or the one of the development tools."""
    named = os.environ.get("SWARM_REAL_CODEX")
    return named or str(import_module("codex_cli_bin").bundled_codex_path())


def closed_port() -> str:
    """Return a base URL at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


def codex_home(
    path: Path,
    server: LoopbackServer | str,
    *,
    model: str = MODEL,
    request_max_retries: int = 0,
    stream_max_retries: int = 0,
    stream_idle_timeout_ms: int = 60_000,
    extra: str = "",
) -> Path:
    """Make a CODEX_HOME whose only model provider is the server (or a base URL).

    `extra` is TOML for the top of the file.
    """
    path.mkdir(parents=True, exist_ok=True)
    url = server if isinstance(server, str) else server.url
    lines = [
        f'model = "{model}"',
        'model_provider = "loopback"',
        extra,
        "[model_providers.loopback]",
        'name = "loopback"',
        f'base_url = "{url}"',
        'wire_api = "responses"',
        f"request_max_retries = {request_max_retries}",
        f"stream_max_retries = {stream_max_retries}",
        f"stream_idle_timeout_ms = {stream_idle_timeout_ms}",
    ]
    (path / "config.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def codex_env(home: Path, sqlite_home: Path | None = None) -> dict[str, str]:
    """Return an environment for Codex: that home, own SQLite files, nothing of this machine's user.

    HOME is the same folder, so that the login shell of a command reads no profile.
    """
    env = {name: value for name, value in os.environ.items() if not _SECRET.match(name)}
    sqlite = sqlite_home or home / "sqlite"
    sqlite.mkdir(parents=True, exist_ok=True)
    own = {"HOME": str(home), "CODEX_HOME": str(home), "CODEX_SQLITE_HOME": str(sqlite)}
    return {**env, **own, "NO_COLOR": "1"}
