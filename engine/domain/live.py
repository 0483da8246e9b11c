"""Live reports of an agent at work: for those who watch it, never stored, and without a number.

A report may be lost. The stored events count: the output of a command is in the event
of its end, and the changes of a run are what was measured in its workspace.
"""

from __future__ import annotations

from typing import Any, ClassVar

from engine.domain.events import iso
from engine.domain.record import record


@record
class CommandOutput:
    """A piece of the output of a running command; `item` names the command within its attempt.

    `command` is that of the step that began; it is empty where its beginning was not read.
    """

    type: ClassVar[str] = "output"
    item: str
    text: str
    command: str = ""


@record
class CommandEnded:
    """The end of a command: its stored event has all of its output."""

    item: str


@record
class TurnDiff:
    """The diff of all patches of the present turn so far; empty once the turn has ended.

    `is_cut`: it is too long to be shown.
    """

    diff: str
    is_cut: bool = False


LiveReport = CommandOutput | CommandEnded | TurnDiff


def output_json(run: str, attempt: int, at: float, output: CommandOutput) -> dict[str, Any]:
    """Return a piece of output as the JSON object of the public contract: it has no `seq`."""
    envelope = {"run": run, "at": iso(at), "attempt": attempt, "type": output.type}
    return {**envelope, "item": output.item, "text": output.text}
