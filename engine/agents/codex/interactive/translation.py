"""Lines of the bridge and of the app-server become events of the run.

Most of them have a counterpart in `codex exec`: they are turned into that, and translated alike.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from engine.agents.codex.interactive import input_requests, patches
from engine.agents.codex.interactive.failures import error_code
from engine.agents.codex.interactive.wire import (
    BridgeLine,
    WireItem,
    WireLimits,
    WireLine,
    WireParams,
    WireTokens,
    WireWindow,
    read_line,
    read_request,
    read_request_head,
)
from engine.agents.codex.limit_ids import limit_name
from engine.agents.codex.parsing import (
    CodexItem,
    CodexLine,
    PathChange,
    TodoItem,
    TurnError,
    unreadable,
)
from engine.agents.codex.rollout import MODEL_LIMIT, ModelNamed, TokenCount
from engine.agents.codex.translation import (
    COMPACTED,
    TEXT_LIMIT,
    CodexState,
    Translator,
    with_counters,
)
from engine.domain.events import Body, Notice, Raw
from engine.domain.interaction import (
    InputRequest,
    InterruptPhase,
    MessageChanged,
    MessagePhase,
    ProposedChange,
    RequestKind,
    RequestPhase,
    TurnInterrupt,
)
from engine.domain.model import LimitWindow, Usage
from engine.domain.text import one_line, printable
from engine.system.decoding import json_decoder

PROMPT = "prompt:"
"""Begins the ids of messages that are an attempt's prompt."""
MODE = "interactive"
_TYPES = {
    "commandExecution": "command_execution",
    "fileChange": "file_change",
    "mcpToolCall": "mcp_tool_call",
    "webSearch": "web_search",
    "collabAgentToolCall": "collab_tool_call",
    "agentMessage": "agent_message",
    "reasoning": "reasoning",
}
_TOOLS = {
    "spawnAgent": "spawn_agent",
    "sendInput": "send_input",
    "resumeAgent": "resume_agent",
    "closeAgent": "close_agent",
}
_QUIET = frozenset(
    {
        "account/updated",
        "configWarning",
        "deprecationNotice",
        "item/commandExecution/outputDelta",
        "item/commandExecution/terminalInteraction",
        "mcpServer/startupStatus/updated",
        "thread/goal/cleared",
        "thread/readState/changed",
        "thread/started",
        "thread/status/changed",
        "turn/diff/updated",
    }
)
_SILENT_ITEMS = frozenset({"userMessage", "plan", "hookPrompt", "imageView", "sleep"})


class InteractiveState(CodexState, omit_defaults=True):
    """The state of an interactive attempt: that of exec, and what the bridge adds."""

    mode: str = ""
    model: str = ""
    """The model of the attempt's turns, which the server names."""
    requests: list[str] = msgspec.field(default_factory=list[str])
    """The names of the thread's open requests: they end with its turn."""
    agent_requests: list[str] = msgspec.field(default_factory=list[str])
    """The names of open requests of sub-agents, whose turns are their own."""
    patches: dict[str, tuple[ProposedChange, ...]] = msgspec.field(
        default_factory=dict[str, tuple[ProposedChange, ...]]
    )
    """The changes of patches that have begun, by thread and item: a request only names these."""
    patch_digests: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    """The digests of the raw changes of these patches."""
    failure_code: str = ""
    skips_rollout: bool = False
    """True if what the rollout holds by now was counted from the output."""
    ended: str = ""
    """Reason why the bridge ended, in its words."""


class InteractiveTranslator:
    """Translator of an attempt's lines."""

    def __init__(self, state: InteractiveState, root: str) -> None:
        self.state = state
        self._root = root
        self.exec = Translator(state, root)

    def translate(self, raw: bytes) -> list[Body]:
        """Return the events of one line, without its newline."""
        line = read_line(raw)
        if line is None:
            return [Raw(unreadable(raw).data), *self._unreadable_request(raw)]
        if isinstance(line, BridgeLine):
            return self._bridge(line)
        if not line.method:
            return self._responded(line)
        if line.id is not None:
            return self._requested(line, raw)
        if line.params.thread_id not in (None, self.state.thread_id):
            return self._notified_of_agent(line)
        return self._notified(line, raw)

    def count_reported(self) -> list[Body]:
        """Return the event of what only the output has counted, if there is any."""
        return self.exec.count_reported(self.state.model)

    def close(self) -> list[Body]:
        """Return the events that close all that is open, once the attempt has ended."""
        self.state.requests += self.state.agent_requests
        self.state.agent_requests = []
        bodies: list[Body] = list(self._withdraw_all())
        return bodies + (self.exec.close_steps(is_told=False) if self.state.open else [])

    # Lines of the bridge

    def _bridge(self, line: BridgeLine) -> list[Body]:
        match line.bridge:
            case "applied":
                return self._applied(line)
            case "refused":
                return self._refused(line)
            case "unsupported":
                method = one_line(line.method)
                return [Notice("warning", f"refused an unknown request of Codex: {method}")]
            case "not-cleaned":
                reason = one_line(line.reason)
                return [Notice("warning", f"commands of the turn may still run: {reason}")]
            case "ended":
                self.state.ended = printable(line.reason, TEXT_LIMIT)
            case _:
                pass
        return []

    def _applied(self, line: BridgeLine) -> list[Body]:
        name = line.id or ""
        match line.do:
            case "answer":
                return self._close_request(line.request, RequestPhase.APPLIED)
            case "interrupt":
                return [TurnInterrupt(name, InterruptPhase.DONE)]
            case "unqueue":
                return [MessageChanged(line.message or "", MessagePhase.WITHDRAWN)]
            case "message":
                return _message(name, MessagePhase.DELIVERED)
            case _:
                return _message(name, MessagePhase.SENT)

    def _refused(self, line: BridgeLine) -> list[Body]:
        reason = one_line(line.reason)
        if line.do == "interrupt":
            return [TurnInterrupt(line.id or "", InterruptPhase.REFUSED)]
        if line.do == "unqueue":  # it is on its way to the agent, or was read
            return [] if line.read else _message(line.message or "", MessagePhase.SENT)
        return [Notice("warning", f"an inbox record was refused: {reason}")]

    # Lines of the server

    def _responded(self, line: WireLine) -> list[Body]:
        thread = line.result.thread if line.result else None
        if thread is None or not thread.id:
            return []
        bodies = self._said(CodexLine("thread.started", thread_id=thread.id))
        model = line.result.model if line.result else None
        named = ModelNamed(one_line(model, MODEL_LIMIT) if isinstance(model, str) else "")
        self.state.model = named.model
        return [*bodies, *self.exec.recorded(named)]

    def _requested(self, line: WireLine, raw: bytes) -> list[Body]:
        params = read_request(raw)
        find_kind = input_requests.kind_of if params else input_requests.known_kind
        kind = find_kind(line.method, params)
        if kind is None or line.id is None:
            return []  # the bridge refuses it, and reports that
        name, thread = _name(line.id), line.params.thread_id
        item = _item_key(thread, params.get("itemId"))
        changes, patch = self.state.patches.get(item), self.state.patch_digests.get(item, "")
        is_of_agent = thread not in (None, self.state.thread_id)
        (self.state.agent_requests if is_of_agent else self.state.requests).append(name)
        request = input_requests.raised(
            name, line.method, params, changes or (), self._root, is_of_agent, patch
        )
        # What cannot be shown can only be denied.
        is_whole = params and (kind is not RequestKind.PATCH or changes)
        return [request if is_whole else replace(request, is_cut=True)]

    def _unreadable_request(self, raw: bytes) -> list[Body]:
        """Return a request in no known form, which the bridge may have open: to be denied."""
        number, method = read_request_head(raw)
        kind = input_requests.known_kind(method, {})
        if kind is None or number is None:
            return []
        name = _name(number)
        self.state.requests.append(name)
        return [InputRequest(name, RequestPhase.RAISED, kind, method, is_cut=True)]

    def _notified_of_agent(self, line: WireLine) -> list[Body]:
        """Keep what a sub-agent's requests refer to; the rest of its work is not shown."""
        params = line.params
        if params.item and params.item.type == "fileChange":
            self._patch(params.thread_id, params.item, line.method.removeprefix("item/"))
        if line.method == "serverRequest/resolved":
            return self._close_request(params.request_id, RequestPhase.WITHDRAWN)
        return []

    def _notified(self, line: WireLine, raw: bytes) -> list[Body]:
        params = line.params
        match line.method:
            case "item/started" | "item/completed" if params.item:
                return self._item(params, params.item, line.method.removeprefix("item/"), raw)
            case "turn/started":
                return self._said(CodexLine("turn.started"))
            case "turn/completed":
                return self._turn_ended(params)
            case "turn/plan/updated":
                return self._plan(params)
            case "serverRequest/resolved":
                return self._close_request(params.request_id, RequestPhase.WITHDRAWN)
            case "error" | "warning":
                return self._warned(line.method, params)
            case _:
                return self._counted(line, raw)

    def _counted(self, line: WireLine, raw: bytes) -> list[Body]:
        if line.method == "thread/tokenUsage/updated" and line.params.token_usage:
            usage = line.params.token_usage
            return self.exec.reported(_usage(usage.total), usage.model_context_window)
        if line.method == "account/rateLimits/updated" and line.params.rate_limits:
            return self.exec.recorded(TokenCount(None, None, _windows(line.params.rate_limits)))
        return [] if line.method in _QUIET else [Raw(unreadable(raw).data)]

    def _warned(self, method: str, params: WireParams) -> list[Body]:
        if method == "warning":
            return [Notice("warning", printable(params.message, TEXT_LIMIT))]
        text = params.error.message if params.error else ""
        if params.error and not params.will_retry:
            self.state.failure_code = error_code(params.error)
        return self._said(CodexLine("error", message=text))

    def _turn_ended(self, params: WireParams) -> list[Body]:
        turn = params.turn
        status = turn.status if turn else ""
        bodies: list[Body] = list(self._withdraw_all())
        if turn and turn.error and status == "failed":
            self.state.failure_code = error_code(turn.error)
            failed = CodexLine("turn.failed", error=TurnError(turn.error.message))
            return bodies + self._said(failed)
        ended = "interrupted" if status == "interrupted" else "completed"
        bodies += self._said(CodexLine(f"turn.{ended}"))
        self.state.turn = status
        return bodies

    def _plan(self, params: WireParams) -> list[Body]:
        items = [TodoItem(one.step, one.status == "completed") for one in params.plan]
        return self._said(CodexLine("item.updated", item=CodexItem(type="todo_list", items=items)))

    # Items

    def _item(self, params: WireParams, item: WireItem, event: str, raw: bytes) -> list[Body]:
        if item.type == "userMessage" and event == "started" and item.client_id:
            return _message(item.client_id, MessagePhase.DELIVERED)
        if item.type == "contextCompaction":
            return [Notice("info", COMPACTED)] if event == "completed" else []
        if item.type in _SILENT_ITEMS:
            return []
        if item.type not in _TYPES:
            return [Raw(unreadable(raw).data)] if event == "completed" else []
        if item.type == "fileChange":
            self._patch(params.thread_id, item, event)
        # Nothing of a message is known before its end.
        if item.type in ("agentMessage", "reasoning") and event == "started":
            return []
        return self._said(CodexLine(f"item.{event}", item=_as_exec(item)), raw)

    def _patch(self, thread: str | None, item: WireItem, event: str) -> None:
        key = _item_key(thread, item.id)
        if event != "started":
            self.state.patches.pop(key, None)
            self.state.patch_digests.pop(key, None)
            return
        changes = item.changes or ()
        self.state.patches[key] = patches.proposed_changes(changes, self._root)
        self.state.patch_digests[key] = patches.digest_of(changes, self._root)

    def _said(self, line: CodexLine, raw: bytes = b"") -> list[Body]:
        return self.exec.translate_line(line, raw)

    # Requests

    def _close_request(self, number: int | str | None, phase: RequestPhase) -> list[Body]:
        name = _name(number)
        for known in (self.state.requests, self.state.agent_requests):
            if name in known:
                known.remove(name)
                return [InputRequest(name, phase)]
        return []

    def _withdraw_all(self) -> list[InputRequest]:
        """Withdraw the requests of the thread's turn, which has ended."""
        names, self.state.requests = self.state.requests, []
        return [InputRequest(name, RequestPhase.WITHDRAWN) for name in names]


def _item_key(thread: str | None, item: object) -> str:
    """Return the key of an item: two threads may use the same id."""
    return f"{thread}/{item}"


def _name(number: int | str | None) -> str:
    """Return the name of a request within its attempt: its id as JSON, so that 0 is not "0"."""
    return _encode(number).decode()[:100]


def _message(name: str, phase: MessagePhase) -> list[Body]:
    return [] if name.startswith(PROMPT) else [MessageChanged(printable(name, 100), phase)]


def _as_exec(item: WireItem) -> CodexItem:
    """Return an item in the words of `codex exec`."""
    changes = None
    if item.changes is not None:
        changes = [PathChange(one.path, str(one.kind.get("type"))) for one in item.changes]
    return CodexItem(
        id=item.id,
        type=_TYPES[item.type],
        status=item.status,
        text="\n".join(item.summary) if item.type == "reasoning" else item.text,
        command=item.command,
        aggregated_output=item.aggregated_output,
        exit_code=item.exit_code,
        changes=changes,
        server=item.server,
        tool=_TOOLS.get(item.tool or "", item.tool),
        query=item.query,
        prompt=item.prompt,
    )


def _usage(total: WireTokens) -> Usage:
    return Usage(
        total.input_tokens,
        total.cached_input_tokens,
        total.output_tokens,
        total.reasoning_output_tokens,
    )


def _windows(limits: WireLimits) -> tuple[LimitWindow, ...]:
    pairs: list[tuple[str, WireWindow | None]]
    pairs = [("primary", limits.primary), ("secondary", limits.secondary)]
    return tuple(
        LimitWindow(
            limit_name(limits.limit_id, name),
            window.used_percent,
            window.window_duration_mins,
            window.resets_at,
        )
        for name, window in pairs
        if window
    )


_encode = msgspec.json.Encoder().encode
_decode = json_decoder(InteractiveState)


def state_json(state: InteractiveState) -> bytes:
    """Write a state for the engine to store; it names its mode."""
    return _encode(state)


def state_from(stored: bytes) -> InteractiveState:
    """Read a stored state; that of an exec attempt is one without requests."""
    state = _decode(stored)
    state.mode = MODE
    # Versions without counters did not read the rollout of an interactive attempt.
    state.skips_rollout |= state.thread_usage != Usage()
    return with_counters(state)


def is_interactive(stored: bytes) -> bool:
    """Return whether a stored state is one of this mode."""
    return _decode(stored).mode == MODE
