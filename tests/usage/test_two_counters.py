"""A thread has the same usage as a run and as another session: the two counters agree.

A run follows the rollouts of its own threads (`thread_counter`), together with the agent's output,
which may be ahead of them. Other sessions are read from any file, which may be a copy or the rest
of one (`session_usage`). `tests/real/test_usage_totals.py` compares both with real Codex.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from usage.session_model import NAMES, Ledger, Thread

from engine.agents.codex.reader import CodexReader
from engine.agents.codex.translation import CodexState
from engine.domain.events import UsageCounted

PARTS = (*NAMES, "requests")


def of_run(home: Path, thread: Thread) -> dict[str, int]:
    """Return the usage of the thread as that of a run."""
    reader = CodexReader(CodexState(), "/w", home)
    begun = json.dumps({"type": "thread.started", "thread_id": thread.id}).encode()
    bodies = [*reader.read([begun]), *reader.finish()]
    reader.close()
    used = next(body.usage for body in reversed(bodies) if isinstance(body, UsageCounted))
    values = (used.input, used.cached, used.output, used.reasoning, used.requests)
    return {part: value for part, value in zip(PARTS, values, strict=True) if value}


def of_session(home: Path, thread: Thread) -> dict[str, int]:
    """Return the usage of the thread as that of another session."""
    ledger = Ledger(home)
    try:
        ledger.read()
        return dict(ledger.counted(thread.id))
    finally:
        ledger.close()


def play(thread: Thread, chance: random.Random) -> None:
    """Add requests, and all else that a rollout holds.

    Totals that begin again without a word are left out: only early versions of Codex wrote them,
    which never work for us.
    """
    thread.request((100, 1, 10, 0))
    for _ in range(40):
        act = chance.choice(["request", "request", "request", "killed", "repeat", "turn", "noise"])
        if act == "request" or (act == "killed" and thread.has_records):
            tokens = (chance.randrange(1, 5000), chance.randrange(2), chance.randrange(900), 0)
            thread.request(tokens, killed=act == "killed")
        elif act != "killed":
            getattr(thread, act)()


@pytest.mark.parametrize("has_records", [True, False], ids=["records", "totals"])
def test_thread_counts_alike_as_run_and_as_other_session(tmp_path: Path, has_records: bool) -> None:
    for seed in range(25):
        thread = Thread(1, has_records=has_records)
        play(thread, random.Random(seed))
        home = tmp_path / str(seed)
        folder = home / "sessions/2026/09/21"
        folder.mkdir(parents=True)
        (folder / thread.name).write_bytes(b"".join(line + b"\n" for line in thread.lines))
        billed = dict(thread.counted())
        assert of_run(home, thread) == billed, seed
        assert of_session(home, thread) == billed, seed
