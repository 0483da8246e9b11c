"""Directives that print items: the agent's thoughts, messages, commands and searches."""

from __future__ import annotations

import time
from collections.abc import Callable

from .script import ScriptStep
from .turn import Turn

_CHUNK_BYTES = 65536
_QUIET_COMMANDS = ("sleep ", "cd ", "mkdir ", "true")


def speed(turn: Turn, step: ScriptStep) -> None:
    """Divide all waits from here on."""
    turn.speed = float(step.words[0])


def wait(turn: Turn, step: ScriptStep) -> None:
    """Do nothing for a while."""
    turn.pause(float(step.words[0]))


def think(turn: Turn, step: ScriptStep) -> None:
    """Show some reasoning."""
    turn.item("completed", turn.new_id(), "reasoning", text=step.text)
    turn.count_request(len(step.text))


def print_message(turn: Turn, step: ScriptStep) -> None:
    """Print a message to the user."""
    turn.print_message(step.text)
    turn.thread.record_message("assistant", step.text)
    turn.count_request(len(step.text))


def stream(turn: Turn, step: ScriptStep) -> None:
    """Show a command that writes lines while it runs; its first line is only in its result."""
    lines = [f"out {number}\n" for number in range(1, int(step.words[0]) + 1)]
    item_id, every_s = turn.new_id(), step.number("every")
    shown = shell_command(f"seq -f 'out %g' {step.words[0]}")
    turn.item("started", item_id, "command_execution", command=shown, aggregated_output="",
              exit_code=None, status="in_progress")  # fmt: skip
    for line in lines[1:]:
        turn.stream(item_id, line)
        turn.pause(every_s)
    turn.item("completed", item_id, "command_execution", command=shown,
              aggregated_output="".join(lines), exit_code=0, status="completed")  # fmt: skip
    turn.count_request(len(shown))


def plan(turn: Turn, step: ScriptStep) -> None:
    """Make a plan, or another one; as with the real one only where the tool is on."""
    if not turn.options.has_plan:
        return
    turn.plan = [text.strip() for text in step.text.split("|") if text.strip()]
    turn.plan_done = 0
    phase = "updated" if turn.plan_id else "started"
    turn.plan_id = turn.plan_id or turn.new_id()
    turn.show_plan(phase)
    turn.count_request(len(step.text))


def done(turn: Turn, step: ScriptStep) -> None:
    """Complete the first items of the plan."""
    if turn.plan_id:
        turn.plan_done = int(step.words[0])
        turn.show_plan("updated")
        turn.count_request(0)


def command(turn: Turn, step: ScriptStep) -> None:
    """Show a command that is never run."""
    shown, exit_code = shell_command(step.words[0]), step.whole("exit")
    output = step.options.get("output", _plausible_output(step.words[0], exit_code))
    if output and not output.endswith("\n"):
        output += "\n"
    show_command(turn, shown, output, exit_code, takes_s=step.number("takes", 0.1))


def show_command(
    turn: Turn, shown: str, output: str, exit_code: int, *, takes_s: float = 0.0
) -> None:
    """Print a command's start and, that many seconds later, its end."""
    item_id, kind = turn.new_id(), "command_execution"
    turn.item("started", item_id, kind, command=shown, aggregated_output="", exit_code=None,
              status="in_progress")  # fmt: skip
    turn.pause(takes_s)
    turn.item("completed", item_id, kind, command=shown, aggregated_output=output,
              exit_code=exit_code, status="failed" if exit_code else "completed")  # fmt: skip
    turn.count_request(len(shown))


def shell_command(text: str) -> str:
    """Return a command as it is shown, with the shell around it."""
    # As the real one does: single quotes where they do, double ones around single ones.
    if "'" not in text:
        return f"/bin/bash -lc '{text}'"
    escaped = "".join(f"\\{letter}" if letter in '\\"$`' else letter for letter in text)
    return f'/bin/bash -lc "{escaped}"'


def _plausible_output(text: str, exit_code: int) -> str:
    if exit_code == 127:
        return f"/bin/bash: line 1: {text.split()[0] if text.split() else ''}: command not found"
    if exit_code:
        return f"error: exit status {exit_code}"
    return "" if text.startswith(_QUIET_COMMANDS) else "ok"


def search(turn: Turn, step: ScriptStep) -> None:
    """Show a web search."""
    item_id = turn.new_id()
    fields: dict[str, object] = {
        "id": f"ws_{item_id}",
        "query": step.text,
        "action": {"type": "search", "query": step.text},
    }
    for phase in ("started", "completed"):
        turn.show_search(phase, item_id, fields)
        turn.pause(0.1 if phase == "started" else 0)
    turn.count_request(len(step.text))


def mcp(turn: Turn, step: ScriptStep) -> None:
    """Show a call of an MCP tool."""
    server, tool = step.words
    item_id, kind, fault = turn.new_id(), "mcp_tool_call", step.options.get("error")
    arguments = {"query": "simulated"}
    result = {"content": [{"type": "text", "text": "ok"}], "structured_content": None}
    turn.item("started", item_id, kind, server=server, tool=tool, arguments=arguments,
              result=None, error=None, status="in_progress")  # fmt: skip
    turn.pause(0.1)
    turn.item("completed", item_id, kind, server=server, tool=tool, arguments=arguments,
              result=None if fault else result, error={"message": fault} if fault else None,
              status="failed" if fault else "completed")  # fmt: skip
    turn.count_request(len(tool))


def usage(turn: Turn, step: ScriptStep) -> None:
    """Count a model request of just this size."""
    turn.thread.count(
        {
            "input_tokens": step.whole("input"),
            "cached_input_tokens": step.whole("cached"),
            "output_tokens": step.whole("output"),
            "reasoning_output_tokens": step.whole("reasoning"),
        }
    )


def limits(turn: Turn, step: ScriptStep) -> None:
    """Report the rate-limit windows from here on."""
    turn.thread.rate_limits["primary"] = {
        "used_percent": step.number("primary"),
        "window_minutes": step.whole("window", 300),
        "resets_at": int(time.time()) + step.whole("resets_in", 3600),
    }
    if "secondary" in step.options:
        turn.thread.rate_limits["secondary"] = {
            "used_percent": step.number("secondary"),
            "window_minutes": step.whole("secondary_window", 10080),
            "resets_at": int(time.time()) + step.whole("secondary_resets_in", 86400),
        }
    turn.thread.record_tokens()


def numbered(turn: Turn, step: ScriptStep) -> None:
    """Count aloud; the rollout knows how far, so that a resumed turn can go on."""
    start = step.options.get("from", "1")
    first = turn.thread.last_number + 1 if start == "last" else int(start)
    every_s = step.number("every")
    for number in range(first, first + int(step.words[0])):
        turn.print_message(f"n {number}")
        turn.thread.record_message("assistant", f"n {number}")
        turn.thread.last_number = number
        turn.pause(every_s)
    turn.count_request(0)


def flood(turn: Turn, step: ScriptStep) -> None:
    """Print as fast as a pipe takes it."""
    count, size = int(step.words[0]), step.whole("size", 120)
    pending: list[dict[str, object]] = []
    text = ""
    for number in range(1, count + 1):
        text = f"flood {number} ".ljust(size, "x")
        item = {"id": turn.new_id(), "type": "agent_message", "text": text}
        pending.append({"type": "item.completed", "item": item})
        if len(pending) * size >= _CHUNK_BYTES:
            turn.emit_all(pending)
            pending.clear()
    turn.emit_all(pending)
    turn.last_message = text or turn.last_message


def bigline(turn: Turn, step: ScriptStep) -> None:
    """Print one message of a given size."""
    turn.print_message("x" * int(step.words[0]))


def raw(turn: Turn, step: ScriptStep) -> None:
    """Print a line of any bytes."""
    turn.emit_bytes(step.text.encode("utf-8", "surrogateescape") + b"\n")


def rawcut(turn: Turn, step: ScriptStep) -> None:
    """Print bytes without ending the line."""
    turn.emit_bytes(step.text.encode("utf-8", "surrogateescape"))


def unknown(turn: Turn, _: ScriptStep) -> None:
    """Print what a later version might."""
    turn.emit({"type": "simulated.novelty", "detail": {"level": 3}})
    turn.item("completed", turn.new_id(), "simulated_novelty", text="from a later version")


def warning(turn: Turn, step: ScriptStep) -> None:
    """Print an error item, which is only a warning."""
    turn.item("completed", turn.new_id(), "error", message=step.text)


PLAYS: dict[str, Callable[[Turn, ScriptStep], None]] = {
    "speed": speed,
    "wait": wait,
    "think": think,
    "say": print_message,
    "plan": plan,
    "done": done,
    "command": command,
    "search": search,
    "mcp": mcp,
    "usage": usage,
    "limits": limits,
    "numbered": numbered,
    "stream": stream,
    "flood": flood,
    "bigline": bigline,
    "raw": raw,
    "rawcut": rawcut,
    "unknown": unknown,
    "warning": warning,
}
