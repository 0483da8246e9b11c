"""Each request of a thread counts once, however its rollout is written and read."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from engine.agents.codex.agent import CodexAgent
from engine.agents.codex.reader import CodexReader
from engine.agents.codex.thread_counter import ThreadCounter
from engine.agents.codex.translation import CodexState, state_from
from engine.domain.events import Body, UsageCounted
from engine.domain.model import Usage

THREAD = "01a22a41-cd55-7273-a9d4-b3d17a74e329"
CHILD = "01a22a42-4d2a-7cd3-8435-8e10fac53a99"
FIELDS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")


def tokens(usage: Usage) -> dict[str, int]:
    parts = (usage.input, usage.cached, usage.output, usage.reasoning)
    return dict(zip(FIELDS, parts, strict=True))


def test_output_that_comes_after_the_total_began_again_counts_nothing() -> None:
    counter, used = ThreadCounter(), Usage(1000, 0, 50)
    counter.add_request(used)
    counter.reach(used)
    counter.reach(Usage())  # the context window is full
    counter.report(used)  # the output of before is read only now
    counter.count_reported()
    assert counter.usage == used + Usage(requests=1)
    counter.add_request(used)
    counter.reach(used)
    assert counter.usage == used + used + Usage(requests=2)


class Codex:
    """A rollout as Codex writes it: with a record of each request, or only with totals."""

    def __init__(self, home: Path, chance: random.Random, thread: str = THREAD) -> None:
        self.chance, self.thread = chance, thread
        self.total = self.billed = Usage()
        self.has_records = True
        day = home / "sessions/2026/11/30"
        day.mkdir(parents=True, exist_ok=True)
        self._path = day / f"rollout-2026-11-30T02-21-25-{thread}.jsonl"
        self._file = self._path.open("ab")
        self._owed = Usage()
        self.written: list[bytes] = []
        self.is_late = False
        self._late: list[bytes] = []
        self.by_model: dict[str, Usage] = {}

    def close(self) -> None:
        self._file.close()

    def write(self, kind: str, payload: object) -> None:
        line = json.dumps({"type": kind, "payload": payload}).encode() + b"\n"
        self.written.append(line)
        if self.is_late:
            self._late.append(line)
        else:
            self._put(line)

    def arrive(self) -> None:
        """Put into the file what was written late."""
        for line in self._late:
            self._put(line)
        self._late.clear()

    def _put(self, line: bytes) -> None:
        cut = self.chance.randrange(len(line))
        # Whoever reads in between sees a part of a line.
        for part in (line[:cut], line[cut:]):
            self._file.write(part)
            self._file.flush()

    def request(self, model: str = "") -> None:
        output = self.chance.randrange(1, 500)
        used = Usage(
            self.chance.randrange(10_000), self.chance.randrange(10), output, output // 2
        )  # fmt: skip
        self._owed += used
        self.by_model[model] = self.by_model.get(model, Usage()) + used + Usage(requests=1)
        if self.has_records:
            self.write("token_usage_record", {"thread_id": self.thread, "usage": tokens(used)})
            self.billed += used + Usage(requests=1)

    def count(self) -> None:
        """Write the total, after the tools of the request have ended."""
        self.total += self._owed
        if not self.has_records and self._owed != Usage():
            self.billed += self._owed + Usage(requests=1)
        self._owed = Usage()
        self.repeat()

    def repeat(self) -> None:
        info = {"total_token_usage": tokens(self.total)}
        self.write("event_msg", {"type": "token_count", "info": info})

    def fill_window(self) -> None:
        self.total = Usage()
        self.repeat()

    def copy_all(self, other: Codex) -> None:
        """Begin with the lines of the thread that this one was forked from."""
        self._late += other.written

    def die(self) -> None:
        """Lose the request that no total has yet."""
        self._owed = Usage()

    def copy(self, other: Codex) -> None:
        """Repeat a record of another thread."""
        used = tokens(Usage(99, 0, 9))
        self.write("token_usage_record", {"thread_id": other.thread, "usage": used})


class Engine:
    """A reader that another process may continue at any time."""

    def __init__(self, home: Path, state: CodexState) -> None:
        self._home, self.reader = home, CodexReader(state, "/w", home)
        self.counts: list[UsageCounted] = []

    def take_over(self) -> None:
        state = self.reader.state()
        self.reader.close()
        self.reader = CodexReader(state_from(state), "/w", self._home)

    def read(self, *lines: dict[str, Any]) -> None:
        raw = [json.dumps(line).encode() for line in lines]
        bodies = self.reader.read(raw) if raw else self.reader.poll()
        self.counts += [body for body in bodies if isinstance(body, UsageCounted)]

    def end(self) -> Usage:
        self.counts += [one for one in self.reader.finish() if isinstance(one, UsageCounted)]
        self.reader.close()
        return self.counts[-1].usage if self.counts else Usage()


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("has_records", [True, False], ids=["records", "totals"])
def test_every_request_counts_once(tmp_path: Path, has_records: bool, seed: int) -> None:
    chance = random.Random(seed)
    codex, child = Codex(tmp_path, chance), Codex(tmp_path, chance, CHILD)
    codex.has_records = child.has_records = has_records
    engine = Engine(tmp_path, CodexState())
    engine.read({"type": "thread.started", "thread_id": THREAD})
    item = {"type": "SubAgentActivity", "agent_thread_id": CHILD}
    codex.write("event_msg", {"type": "item_completed", "item": item})
    for _ in range(60):
        one = chance.choice((codex, child))
        acts = [one.request, one.count, one.count, one.repeat, one.fill_window, one.die]
        acts += [lambda one=one: one.copy(child if one is codex else codex)]
        chance.choice(acts)()
        if chance.random() < 0.3:
            engine.read()
        if chance.random() < 0.2:
            engine.take_over()
        if chance.random() < 0.2:
            one.count()
            engine.read({"type": "turn.completed", "usage": tokens(codex.total)})
    if not has_records:
        codex.die()
        child.die()
    # A copied record is of the other thread: where only totals are, records are none of its own.
    assert engine.end() == codex.billed + child.billed
    codex.close()
    child.close()


def test_output_without_a_rollout_counts_at_the_end(tmp_path: Path) -> None:
    engine = Engine(tmp_path, CodexState())
    engine.read({"type": "thread.started", "thread_id": THREAD})
    ahead = Usage(100, 20, 10, 5)
    engine.read({"type": "turn.completed", "usage": tokens(ahead)})
    engine.read()
    assert engine.counts == []
    engine.take_over()
    assert engine.end() == ahead + Usage(requests=1)


def test_output_that_was_counted_ahead_of_the_rollout_counts_once(tmp_path: Path) -> None:
    counter, ahead = ThreadCounter(), Usage(100, 20, 10, 5)
    counter.report(ahead)
    assert counter.usage == Usage()
    counter.count_reported()
    assert counter.usage == ahead + Usage(requests=1)
    counter.add_request(Usage(60, 20, 6, 3))
    counter.add_request(Usage(40, 0, 4, 2))
    counter.reach(ahead)
    assert counter.usage == ahead + Usage(requests=2)


def test_state_of_a_version_without_counters_goes_on(tmp_path: Path) -> None:
    codex = Codex(tmp_path, random.Random(0))
    codex.total = Usage(100, 20, 10, 5)
    codex.repeat()
    usage = '{"input":100,"cached":20,"output":10}'
    stored = f'{{"thread_id":"{THREAD}","turn":"completed","thread_usage":{usage}}}'
    engine = Engine(tmp_path, state_from(stored.encode()))
    engine.read()
    assert engine.counts == []
    codex.request()
    codex.count()
    assert engine.end() == codex.billed + Usage(100, 20, 10)
    codex.close()


def test_model_is_that_of_the_turn(tmp_path: Path) -> None:
    codex = Codex(tmp_path, random.Random(1))
    engine = Engine(tmp_path, CodexState())
    engine.read({"type": "thread.started", "thread_id": THREAD})
    for model in ("large", "small", "large"):
        codex.write("turn_context", {"model": model})
        codex.request()
        codex.count()
    engine.end()
    # One event for each part that one model used.
    assert [one.model for one in engine.counts] == ["large", "small", "large"]
    codex.close()


class Threads:
    """A thread in attempts, the last in a copy of it, each of another model and read late."""

    def __init__(self, home: Path, seed: int, is_interactive: bool, has_records: bool) -> None:
        self._home, self._chance = home, random.Random(seed)
        self._is_interactive, self._has_records = is_interactive, has_records
        self._codex = self._begin(THREAD)
        self._stored: list[bytes] = []
        self._used = Usage()
        self.billed: dict[str, Usage] = {}
        self.counted: dict[str, Usage] = {}

    def play(self) -> None:
        for model in ("small", "large", "small"):
            self._attempt(model, THREAD)
        fork = self._begin(CHILD)
        fork.total = self._codex.total
        fork.copy_all(self._codex)
        self._codex.close()
        self._codex = fork
        self._attempt("other", CHILD)
        fork.close()

    def _begin(self, thread: str) -> Codex:
        codex = Codex(self._home, self._chance, thread)
        codex.has_records, codex.is_late = self._has_records, True
        return codex

    def _attempt(self, model: str, thread: str) -> None:
        agent, is_fork = CodexAgent(), thread == CHILD
        state = agent.first_state(
            THREAD if self._stored else None,
            self._used,
            self._stored,
            interactive=self._is_interactive,
            forks=is_fork,
        )
        reader = agent.reader(state, "/w", self._home)
        self._codex.write("turn_context", {"model": model})
        self._take(reader.read(self._begun(thread, model)))
        for is_last in (False, False, True):
            self._codex.request(model)
            self._codex.count()
            if is_last or self._is_interactive:
                self._take(reader.read([self._total(thread)]))
            if self._chance.random() < 0.5:
                self._codex.arrive()
            if self._chance.random() < 0.5:
                self._take(reader.poll())
        self._codex.arrive()
        self._take(reader.finish())
        self._stored.insert(0, reader.state())
        reader.close()
        for name, used in self._codex.by_model.items():
            self.billed[name] = self.billed.get(name, Usage()) + used
        self._codex.by_model.clear()

    def _begun(self, thread: str, model: str) -> list[bytes]:
        result = {"thread": {"id": thread}, "model": model}
        line = {"type": "thread.started", "thread_id": thread}
        return [json.dumps({"id": 2, "result": result} if self._is_interactive else line).encode()]

    def _total(self, thread: str) -> bytes:
        total = self._codex.total
        if not self._is_interactive:
            return json.dumps({"type": "turn.completed", "usage": tokens(total)}).encode()
        names = ("inputTokens", "cachedInputTokens", "outputTokens", "reasoningOutputTokens")
        counts = dict(zip(names, tokens(total).values(), strict=True))
        params = {"threadId": thread, "tokenUsage": {"total": counts}}
        return json.dumps({"method": "thread/tokenUsage/updated", "params": params}).encode()

    def _take(self, bodies: list[Body]) -> None:
        for body in bodies:
            if isinstance(body, UsageCounted):
                grown, self._used = body.usage - self._used, body.usage
                model = body.model or ""
                self.counted[model] = self.counted.get(model, Usage()) + grown


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("has_records", [True, False], ids=["records", "totals"])
@pytest.mark.parametrize("is_interactive", [False, True], ids=["exec", "interactive"])
def test_model_does_not_depend_on_what_is_read_first(
    tmp_path: Path, is_interactive: bool, has_records: bool, seed: int
) -> None:
    threads = Threads(tmp_path, seed, is_interactive, has_records)
    threads.play()
    counted = {model: used for model, used in threads.counted.items() if used != Usage()}
    assert counted == threads.billed
