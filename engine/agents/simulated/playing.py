"""The steps of a turn: which there are for a prompt, and what plays each of them."""

from __future__ import annotations

import os

from . import asking, default_task, files, items, script, trouble
from .script import ScriptStep
from .thread import Thread, count_attempt

PLAYS = {**items.PLAYS, **files.PLAYS, **trouble.PLAYS, **asking.PLAYS}
SCRIPT_VARIABLE = "SIMULATED_SCRIPT"
"""A script for a prompt that holds none."""


def steps_of(
    prompt: str, home: str, cwd: str, thread: Thread | None, answer: str = ""
) -> list[ScriptStep]:
    """Return the steps for a prompt; `thread` is the one that goes on. Raises ScriptError."""
    lines = script.directives(prompt)
    prepared = script.directives(os.environ.get(SCRIPT_VARIABLE, ""))
    if not lines and (thread is None or script.has_attempts(prepared)):
        lines = prepared
    if thread and not lines and script.has_attempts(thread.last_script):
        lines = thread.last_script
    attempt = count_attempt(home, cwd, lines) if script.has_attempts(lines) else 1
    steps = script.parse(lines, attempt, script.account_of(home))
    return _expand(steps, bool(lines), prompt, is_resumed=bool(thread), answer=answer)


def _expand(
    steps: list[ScriptStep], is_scripted: bool, prompt: str, *, is_resumed: bool, answer: str
) -> list[ScriptStep]:
    """Put the default task where it is asked for, or where nothing is."""
    write_task = default_task.follow_up if is_resumed else default_task.directives
    if not is_scripted:
        played = script.parse(write_task(prompt), 1)
        return [*played, *script.parse([f"say {answer}"], 1)] if answer else played
    played: list[ScriptStep] = []
    for step in steps:
        played += script.parse(write_task(prompt), 1) if step.name == "default" else [step]
    return played
