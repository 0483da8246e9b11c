"""Codex's lines become events of the run; here Codex's words end."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from engine.agents.codex.parsing import (
    CodexItem,
    CodexLine,
    PathChange,
    TokenUsage,
    UnreadableLine,
    parse,
    unreadable,
)
from engine.agents.codex.rollout import (
    AgentSlept,
    AgentsSeen,
    CommandRefused,
    ContextCompacted,
    ModelNamed,
    Record,
    RequestRecorded,
    TokenCount,
)
from engine.agents.codex.sandbox_refusals import refusal
from engine.agents.codex.thread_counter import ThreadCounter
from engine.domain.activity import clock
from engine.domain.events import (
    Body,
    FileChange,
    LimitsSeen,
    Notice,
    PlanChanged,
    Progressed,
    Raw,
    Step,
    UsageCounted,
)
from engine.domain.interaction import MessageChanged, MessagePhase
from engine.domain.model import LimitWindow, PlanItem, Stage, Usage
from engine.domain.projection import NETWORK_WAIT
from engine.domain.reasons import Subject
from engine.domain.secrets import hide
from engine.domain.text import one_line, printable, printable_name
from engine.system.decoding import json_decoder

COMPACTED = "the conversation filled the context window: Codex went on with a summary of it"
SLEEP = "clock.sleep"
MAX_AGENTS, THREAD_LIMIT = 1000, 100
MAX_CHANGES, MAX_NAME = 1000, 300  # changes that are kept, and characters of a name
TEXT_LIMIT = 200_000  # characters of a message, a command or an output in an event
EXECUTING_PERCENT, EXECUTED_PERCENT = 30, 80
_SHELLS = frozenset({"/bin/bash", "/usr/bin/bash", "/bin/zsh", "/usr/bin/zsh", "/bin/sh"})
SPLIT_LIMIT = 10_000  # characters of a command that is taken apart; `shlex` is slow
_WORD = re.compile(r"[\w./-]+")
_COMPACTION = "Heads up: Long threads and multiple compactions"
UsageRecord = TokenCount | RequestRecorded | ModelNamed
_CHANGES = {"add": "added", "update": "modified", "delete": "deleted"}


class AgentCursor(msgspec.Struct, omit_defaults=True):
    """The offset in a sub-agent's rollout, and the tokens it has used."""

    offset: int = 0
    counter: ThreadCounter = msgspec.field(default_factory=ThreadCounter)
    usage: Usage = Usage()
    """Of a state that a version without counters has stored."""


class CodexState(msgspec.Struct, omit_defaults=True):
    """All that must be known of an attempt to go on reading its output."""

    message: str = ""
    """The id of the user's message that the prompt is, until the agent has read it."""
    thread_id: str | None = None
    turn: str = ""
    failure: str = ""
    last_error: str = ""
    held: str = ""
    """An `error` line that may turn out to be the announcement of `turn.failed`."""
    percent: int = EXECUTING_PERCENT
    plan: tuple[PlanItem, ...] = ()
    usage_before: Usage = Usage()
    """Usage of the run on other threads, before this one."""
    counter: ThreadCounter = msgspec.field(default_factory=ThreadCounter)
    """The usage of the thread."""
    thread_usage: Usage = Usage()
    inherited: Usage = Usage()
    """Both of a state that a version without counters has stored."""
    context_window: int | None = None
    windows: tuple[LimitWindow, ...] = ()
    rollout_offset: int = 0
    agents: dict[str, AgentCursor] = {}
    """The thread's sub-agents, by thread."""
    refused: str = ""
    """The message of the sandbox that could not start a command."""
    compactions: tuple[int, int] = (0, 0)
    """Numbers of compactions that the rollout recorded, and that stdout reported."""
    worked: bool = False
    """True if a command or an edit was carried out."""
    open: dict[str, tuple[str, str]] = {}
    """Kind and text of the steps that have begun, by item."""


State = TypeVar("State", bound=CodexState)


class Translator:
    """Translator of an attempt's lines into events; `root` is the path of its workspace."""

    def __init__(self, state: CodexState, root: str) -> None:
        self.state = state
        self._root = root.rstrip("/") + "/"
        self._shown = ("", "", "")
        """A command as Codex wrote it, as an event has it, and as one line."""
        self._changed: dict[tuple[str, str], FileChange] = {}
        """Changes that were seen, by what Codex wrote: an agent edits the same files again."""

    def translate(self, raw: bytes) -> list[Body]:
        """Return the events of one line (without its newline), mostly one, sometimes none."""
        return self.translate_all((raw,))

    def translate_all(self, lines: Iterable[bytes]) -> list[Body]:
        """Return the events of lines. Nearly all are steps: these are made on the shortest way."""
        bodies: list[Body] = []
        for raw in filter(None, lines):
            line = parse(raw)
            if isinstance(line, UnreadableLine):
                bodies += (*self._release_held(), Raw(line.data))
            elif (item := line.item) is None or self.state.held:
                bodies += self.translate_line(line, raw)
            elif (make := _STEPS.get(item.type)) and line.type in _ITEM_LINES:
                self.state.last_error = ""  # the agent got over it
                if step := make(self, item, line.type):
                    bodies.append(step)
            else:
                bodies += self._known(line, raw)
        return bodies

    def translate_line(self, line: CodexLine, raw: bytes) -> list[Body]:
        """Return the events of one line that was read from `raw`."""
        held = self.state.held
        if not held:  # as for nearly all lines
            return self._known(line, raw)
        released = self._release_held()
        bodies = self._known(line, raw)
        is_told = line.type == "turn.failed" and held == self.state.failure
        return bodies if is_told else [*released, *bodies]

    def _release_held(self) -> list[Body]:
        held, self.state.held = self.state.held, ""
        return _notices(held)

    def _known(self, line: CodexLine, raw: bytes) -> list[Body]:
        match line.type:
            case "item.completed" | "item.started" | "item.updated" if line.item:
                return self._item(line.item, line.type, raw)
            case "thread.started" if line.thread_id:
                return self._thread(line)
            case "turn.started" | "turn.completed" | "turn.failed" | "turn.interrupted":
                return self._turn(line)
            case "error":
                return self._transient(line)
            case _:
                return [Raw(unreadable(raw).data)]

    def _thread(self, line: CodexLine) -> list[Body]:
        thread = printable(line.thread_id or "", 100)
        if thread != self.state.thread_id:
            self.state.usage_before += self._threads_usage()
            if self.state.thread_id:  # that of a fork begins with what was inherited
                self.state.counter = ThreadCounter()
            self.state.thread_id = thread
            self.state.agents = {}
        details = {"thread_id": thread}
        return [Progressed(Stage.EXECUTING, "thinking", self.state.percent, details)]

    def _turn(self, line: CodexLine) -> list[Body]:
        self.state.turn = line.type.removeprefix("turn.")
        if line.error:
            self.state.failure = hide(printable(line.error.message, TEXT_LIMIT))
        match line.type:
            case "turn.started":
                # Of an interrupted turn, a step that never reported its end may be left.
                bodies = [*self.close_steps(is_told=False), *self._delivered()]
            case "turn.interrupted":  # its commands are ended next, and report that themselves
                bodies = list[Body]()
            case _:
                bodies = self.close_steps()
        if line.usage:
            bodies += self.reported(line.usage.usage, self.state.context_window)
        return bodies

    def _delivered(self) -> list[Body]:
        """Return the event of the message that the turn begins with, if it does with one."""
        name, self.state.message = self.state.message, ""
        return [MessageChanged(name, MessagePhase.DELIVERED)] if name else []

    def close_steps(self, *, is_told: bool = True) -> list[Body]:
        """Return the events that close all open steps, with a notice of each if `is_told`."""
        bodies: list[Body] = []
        for kind, text in self.state.open.values():
            command = text if kind == "command" else None
            bodies.append(Step("tool", kind, "failed", text, command))
            if is_told and kind != "sleep":
                bodies.append(Notice("warning", f"still running when the turn ended: {text}"))
        self.state.open = {}
        return bodies

    def recorded(self, record: Record) -> list[Body]:
        """Return the events of a record of the thread's own rollout, as far as it is new."""
        match record:
            case TokenCount() | RequestRecorded() | ModelNamed():
                return self._counted(record)
            case AgentsSeen():
                self._meet(record)
                return []
            case AgentSlept():
                return self._slept(record)
            case ContextCompacted():
                return self._compacted(recorded=1)
            case CommandRefused():
                return self._refused(record)

    def recorded_by_agent(self, thread: str, record: Record) -> list[Body]:
        """Return the events of a record of a sub-agent's rollout, as far as it is new."""
        if isinstance(record, AgentsSeen):
            self._meet(record)
        if isinstance(record, CommandRefused):
            return self._refused(record)
        if isinstance(record, TokenCount | RequestRecorded | ModelNamed):
            return [*self._count(thread, self.state.agents[thread].counter, record)]
        return []

    def _meet(self, seen: AgentsSeen) -> None:
        for thread in seen.threads:
            known = thread == self.state.thread_id or len(self.state.agents) >= MAX_AGENTS
            if not known and len(thread) <= THREAD_LIMIT:
                self.state.agents.setdefault(thread, AgentCursor())

    def _refused(self, record: CommandRefused) -> list[Body]:
        # A command that is refused at once has no item: only the rollout shows it.
        self.state.refused = self.state.refused or record.reason
        return []

    def _compacted(self, recorded: int = 0, told: int = 0) -> list[Body]:
        """Return the notice of a compaction, which Codex may report twice: here and there."""
        known = max(self.state.compactions)
        before = self.state.compactions
        self.state.compactions = (before[0] + recorded, before[1] + told)
        return [Notice("info", COMPACTED)] if max(self.state.compactions) > known else []

    def _slept(self, slept: AgentSlept) -> list[Body]:
        if slept.seconds is None:
            _, text = self.state.open.pop(SLEEP, ("", ""))
            return [Step("tool", "sleep", "completed", text)] if text else []
        text = f"sleeping for {clock(slept.seconds)}"
        self.state.open[SLEEP] = ("sleep", text)
        return [Step("tool", "sleep", "started", text)]

    def _threads_usage(self) -> Usage:
        counters = [agent.counter for agent in self.state.agents.values()]
        return sum((one.usage for one in counters), self.state.counter.usage)

    def _counted(self, record: UsageRecord) -> list[Body]:
        state = self.state
        known = state.context_window
        if isinstance(record, TokenCount):
            state.context_window = record.context_window or known
        bodies: list[Body] = [*self._count(state.thread_id or "", state.counter, record)]
        if not bodies and state.context_window != known:
            bodies = [self._usage_counted(state.counter)]
        if isinstance(record, TokenCount) and record.windows not in ((), state.windows):
            state.windows = record.windows
            bodies.append(LimitsSeen(record.windows))
        return bodies

    def _count(self, thread: str, counter: ThreadCounter, record: UsageRecord) -> Sequence[Body]:
        """Count a record of a thread's rollout; return the event if there is more to report."""
        before = counter.usage
        match record:
            case ModelNamed():
                counter.model = record.model or counter.model
            case RequestRecorded():
                if record.thread in ("", thread):
                    counter.add_request(record.usage)
            case TokenCount(usage=TokenUsage() as total):
                counter.reach(total.usage)
            case _:
                pass
        return [self._usage_counted(counter)] if counter.usage != before else []

    def reported(self, total: Usage, context_window: int | None) -> list[Body]:
        """Note a running total in the agent's output; return the event of the context window."""
        state, known = self.state, self.state.context_window
        state.counter.report(total)
        state.context_window = context_window or known
        return [self._usage_counted(state.counter)] if state.context_window != known else []

    def count_reported(self, model: str = "") -> list[Body]:
        """Return the event of what only the agent's output has counted, if there is any.

        Without a `model`, it is that of the last turn in the rollout.
        """
        counter = self.state.counter
        before = counter.usage
        counter.count_reported()
        if counter.usage == before:
            return []
        return [self._usage_counted(counter, model)]

    def _usage_counted(self, counter: ThreadCounter, model: str = "") -> UsageCounted:
        total = self.state.usage_before + self._threads_usage()
        return UsageCounted(
            total.input,
            total.cached,
            total.output,
            self.state.context_window,
            total.reasoning,
            total.requests,
            model or counter.model or None,
            None if counter is self.state.counter else True,
        )

    def _transient(self, line: CodexLine) -> list[Body]:
        text = hide(printable(line.message or "", TEXT_LIMIT))
        self.state.last_error = text
        found = text.find(NETWORK_WAIT)
        if found >= 0:
            return [Notice("warning", text[found:], subject=Subject.NETWORK)]
        if text.startswith("Reconnecting"):
            return [Notice("warning", text)]
        # Codex prints the error of a turn twice, here and in `turn.failed`: reported once, there.
        self.state.held = text
        return []

    def _item(self, item: CodexItem, kind: str, raw: bytes) -> list[Body]:
        if item.type != "error":
            self.state.last_error = ""  # the agent got over it
        if make := _STEPS.get(item.type):
            step = make(self, item, kind)
            return [step] if step else []
        match item.type:
            case "todo_list":
                return self._plan(item)
            case "error":
                return self._warning(hide(printable(item.message or "", TEXT_LIMIT)))
            case _:
                return [Raw(unreadable(raw).data)]

    def _warning(self, text: str) -> list[Body]:
        if text.startswith(_COMPACTION):
            return self._compacted(told=1)
        return [Notice("warning", text)]

    def said(self, item: CodexItem, kind: str) -> Step | None:
        """Return the step of a message."""
        if kind == "item.started":
            return None
        role = "assistant" if item.type == "agent_message" else "reasoning"
        return Step(role, "message", "completed", printable(item.text or "", TEXT_LIMIT))

    def ran(self, item: CodexItem, kind: str) -> Step | None:
        """Return the step of a command; None where it is neither its start nor its end."""
        if kind == "item.updated":
            return None
        _, command, text = self._as_shown(item.command or "")
        exit_code = item.exit_code
        if kind == "item.started":
            self.state.open[item.id] = ("command", text)
            return Step("tool", "command", "started", text, command, exit_code)
        output = printable(item.aggregated_output or "", TEXT_LIMIT)
        step = Step("tool", "command", _end(item), text, command, exit_code, output)
        return self._ended(item, step)

    def _as_shown(self, text: str) -> tuple[str, str, str]:
        shown = self._shown
        if shown[0] != text:  # the end of a command mostly comes right after its start
            command = printable(text, TEXT_LIMIT)
            shown = (text, command, one_line(unwrapped(command)))
            if len(text) <= SPLIT_LIMIT:
                self._shown = shown
        return shown

    def used(self, item: CodexItem, kind: str) -> Step | None:
        """Return the step of a tool; None where it is neither its start nor its end."""
        if kind == "item.updated":
            return None
        if kind == "item.started":
            step = self._tool(item, "started")
            self.state.open[item.id] = (step.kind, step.text)
            return step
        return self._ended(item, self._tool(item, _end(item)))

    def _ended(self, item: CodexItem, step: Step) -> Step:
        """Close an open step, and take note whether a command could start at all."""
        self.state.open.pop(item.id, None)
        if step.phase == "failed":
            reason = _refused(step)
            if reason:
                self.state.refused = self.state.refused or reason
            elif step.kind == "command":
                self.state.worked = True
        elif step.kind in ("command", "file_change"):
            self.state.worked = True
        return step

    def _plan(self, item: CodexItem) -> list[Body]:
        items = tuple(
            PlanItem(printable(todo.text, 1000), todo.completed) for todo in item.items or ()
        )
        if items == self.state.plan:
            return []
        self.state.plan = items
        bodies: list[Body] = [PlanChanged(items)]
        done = sum(todo.completed for todo in items)
        if items:
            span = EXECUTED_PERCENT - EXECUTING_PERCENT
            percent = EXECUTING_PERCENT + span * done // len(items)
            if percent > self.state.percent:
                self.state.percent = percent
                message = f"{done} of {len(items)} steps done"
                bodies.append(Progressed(Stage.EXECUTING, message, percent))
        return bodies

    def _tool(self, item: CodexItem, phase: str) -> Step:
        match item.type:
            case "file_change":
                changes = tuple([self._change(it) for it in item.changes or ()])
                text = ", ".join([change.path for change in changes])
                return Step("tool", "file_change", phase, printable(text, 1000), changes=changes)
            case "mcp_tool_call":
                text = f"{one_line(item.server or '?')}.{one_line(item.tool or '?')}"
                return Step("tool", "mcp", phase, text)
            case "collab_tool_call":
                waits = item.tool == "wait" or None
                return Step("tool", "agent", phase, _agent_words(item), waits=waits)
            case _:
                return Step("tool", "web_search", phase, one_line(item.query or ""))

    def _change(self, change: PathChange) -> FileChange:
        key = (change.path, change.kind)
        if known := self._changed.get(key):
            return known
        name = printable_name(change.path.removeprefix(self._root))
        made = FileChange(name, _CHANGES.get(change.kind, "modified"))
        if len(self._changed) < MAX_CHANGES and len(change.path) + len(change.kind) < MAX_NAME:
            self._changed[key] = made
        return made


_STEPS: dict[str, Callable[[Translator, CodexItem, str], Step | None]] = {
    "command_execution": Translator.ran,
    "agent_message": Translator.said,
    "reasoning": Translator.said,
    "file_change": Translator.used,
    "mcp_tool_call": Translator.used,
    "web_search": Translator.used,
    "collab_tool_call": Translator.used,
}
"""Ways to make a step of an item, by its type; None where a line of it is none."""
_ITEM_LINES = frozenset({"item.started", "item.updated", "item.completed"})

_AGENT_WORDS = {
    "spawn_agent": "starting a sub-agent",
    "send_input": "writing to a sub-agent",
    "resume_agent": "resuming a sub-agent",
    "wait": "waiting for sub-agents",
    "close_agent": "closing a sub-agent",
}


def _agent_words(item: CodexItem) -> str:
    tool = item.tool or "?"
    words = _AGENT_WORDS.get(tool, f"sub-agents: {one_line(tool)}")
    return f"{words}: {one_line(item.prompt)}" if item.prompt else words


def _notices(text: str) -> list[Body]:
    return [Notice("warning", text)] if text else []


def _end(item: CodexItem) -> str:
    return item.status if item.status in ("failed", "declined") else "completed"


def _refused(step: Step) -> str:
    """Return why the sandbox did not start the command of a failed step; empty where it did."""
    return refusal(step.output or "") if step.kind == "command" else ""


def unwrapped(command: str) -> str:
    """Return Codex's shell command without the shell around it."""
    # As Codex mostly wraps it; `shlex`, which knows all ways, takes 50 times as long.
    shell, _, script = command.partition(" -lc ")
    if shell in _SHELLS:
        if script[:1] == "'" and 1 < script.find("'", 1) == len(script) - 1:
            return script[1:-1]
        if _WORD.fullmatch(script):
            return script
    is_long = len(command) > SPLIT_LIMIT
    if is_long or not command.startswith("/") or " -" not in command[:40]:
        return command
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    is_shell = len(words) == 3 and os.path.basename(words[0]) in ("sh", "bash", "zsh", "dash")  # noqa: PTH119  a name, not a file
    return words[2] if is_shell and words[1] in ("-c", "-lc") else command


_encode = msgspec.json.Encoder().encode
_decode = json_decoder(CodexState)


def state_json(state: CodexState) -> bytes:
    """Write a state for the engine to store."""
    return _encode(state)


def state_from(stored: bytes) -> CodexState:
    """Read a stored state."""
    return with_counters(_decode(stored))


def with_counters(state: State) -> State:
    """Return a state with its counters: earlier versions stored only the sums."""
    if state.thread_usage != Usage() or state.inherited != Usage():
        floor = state.inherited + state.thread_usage
        state.counter = ThreadCounter(counted=state.thread_usage, floor=floor)
        state.thread_usage = state.inherited = Usage()
    for agent in state.agents.values():
        if agent.usage != Usage():
            agent.counter = ThreadCounter(counted=agent.usage, floor=agent.usage)
            agent.usage = Usage()
    return state
