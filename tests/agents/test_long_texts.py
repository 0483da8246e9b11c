"""Texts that are as long as an agent wants, made to take a regular expression as long as possible.

No clock is asked: what takes quadratic time here takes minutes, and the child is killed.
"""

from __future__ import annotations

import subprocess
import sys

READ = r"""
import json
from engine.agents.codex import failures, limit_resets
from engine.agents.codex.translation import CodexState, Translator
from engine.domain import causes, csv_text, text
from engine.domain.events import Event
from tui.formatting.events import event_line

N = 1_000_000
for piece in ("Model provider `", "401 ", "\x1b[0", "\x9b ", "try again in 1 day, ", "\n", "**a"):
    told = piece * (N // len(piece))
    failures.from_turn(told)
    failures.from_exit(1, told, told)
    limit_resets.resets_at(told, (), 0, 1.8e9)
    causes.general(told)
    text.visible(told)
    csv_text.as_text(told)
    for item in (
        {"type": "command_execution", "command": f"/bin/sh -c {told}", "aggregated_output": told},
        {"type": "agent_message", "text": told},
    ):
        line = json.dumps({"type": "item.completed", "item": {"id": "i", **item}}).encode()
        for body in Translator(CodexState(), "/w").translate(line):
            event_line(Event("a", 1, 1.8e9, 1, body))
"""


def test_long_texts_are_read_in_linear_time() -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ], timeout=60, check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
