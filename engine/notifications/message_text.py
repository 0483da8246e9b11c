"""Messages in words, for people: a title and a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.domain.messages import MessageTopic
from engine.domain.spend import factor_words
from engine.domain.text import one_line

Data = Mapping[str, Any]
LINES = 10
"""Runs that a digest names."""


def words(topic: str, data: Data) -> tuple[str, str]:
    """Return title and text of a message, each safe to show."""
    return _WORDS[topic](data)


def _run(what: str) -> Callable[[Data], tuple[str, str]]:
    def render(data: Data) -> tuple[str, str]:
        error: Data = data["error"] or {}
        why: str = error.get("message") or data["activity"] or ""
        label = " (simulated)" if data["agent"] == "simulated" else ""
        title = one_line(data["title"], 100) or data["id"]
        project = one_line(data["project"], 60)
        lines = [f"{project} · {data['id']}{label}", one_line(why, 300)]
        return f"{what}: {title}", "\n".join(line for line in lines if line)

    return render


def _expensive(data: Data) -> tuple[str, str]:
    title, text = _run("Expensive")(data)
    flag: Data | None = data.get("expensive")
    where, *_ = text.split("\n")
    if not flag:
        return title, text
    times = f"{factor_words(flag['factor'])} the median of its {flag['basis']}"
    return title, f"{where}\n{times}, {flag['tokens']:,} tokens so far"


def _needs(data: Data) -> tuple[str, str]:
    runs: Sequence[Data] = data["runs"]
    batches = {one["batch"] for one in runs}
    lines = [
        f"{one_line(one['title'], 60)} · {one['id']}: {one_line(one['text'], 200)}" for one in runs
    ]
    if len(runs) == 1:
        return f"Needs you: {one_line(runs[0]['title'], 100)}", lines[0]
    of_batch = next(iter(batches)) if len(batches) == 1 else None
    of = f" of the batch {one_line(of_batch, 60)}" if of_batch else ""
    more = [f"and {len(runs) - LINES} more"] if len(runs) > LINES else []
    return f"{len(runs)} runs{of} need you", "\n".join([*lines[:LINES], *more])


def _paused(data: Data) -> tuple[str, str]:
    until = f", until {data['until']}" if data["until"] else ""
    return "The queue is paused", f"{one_line(data['reason'], 200)}{until}"


def _batch(data: Data) -> tuple[str, str]:
    counts: Mapping[str, int] = data["counts"]
    told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    return f"Batch {one_line(data['id'], 100)} has ended", told


def _test(data: Data) -> tuple[str, str]:
    return "swarm-tui", data["text"]


_WORDS: dict[str, Callable[[Data], tuple[str, str]]] = {
    MessageTopic.RUN_SUCCEEDED: _run("Succeeded"),
    MessageTopic.RUN_FAILED: _run("Failed"),
    MessageTopic.RUN_CANCELLED: _run("Cancelled"),
    MessageTopic.RUN_STALLED: _run("Stalled"),
    MessageTopic.RUN_NEEDS_INPUT: _needs,
    MessageTopic.RUN_EXPENSIVE: _expensive,
    MessageTopic.QUEUE_PAUSED: _paused,
    MessageTopic.BATCH_FINISHED: _batch,
    MessageTopic.TEST: _test,
}
