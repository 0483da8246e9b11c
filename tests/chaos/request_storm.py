"""A storm over interactive runs: requests open, answers and messages in flight, and kills of all.

`python tests/chaos/request_storm.py --kills 200` prints its figures; the test runs a short one.
Three processes answer every request at once. Supervisors, bridges, app-servers and those three are
killed at random moments. Each request asks for a command of its own, which writes a line when it
runs, and so does each message when the agent has read it: what was decided, what was stored and
what was done can be compared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]

from storm import CONFIG, integrity, left_alive, start_engine  # noqa: E402  the path is set first

from engine.config.paths import Paths  # noqa: E402  the path is set first
from engine.domain.errors import UserError  # noqa: E402  the path is set first
from engine.domain.events import Event, Step  # noqa: E402  the path is set first
from engine.domain.interaction import (  # noqa: E402  the path is set first
    Decision,
    DeliveryTime,
    InputRequest,
    MessageChanged,
    MessagePhase,
    RequestAnswer,
)
from engine.domain.lifecycle import LIVE  # noqa: E402  the path is set first
from engine.domain.model import Agent, Run, RunSpec, Status  # noqa: E402  the path is set first
from engine.engine import Engine  # noqa: E402  the path is set first
from engine.execution.local.process_marks import marks  # noqa: E402  the path is set first

ANSWERERS = 3
ATTEMPTS = 40
"""Attempts with a script of their own; more than are ever needed."""
END_S = 240.0
RAN, HEARD = "ran.txt", "heard.txt"


@dataclass
class RequestStorm:
    """The result of a storm; everything after `seconds` must be zero."""

    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    attempts: int = 0
    requests: int = 0
    decisions: int = 0
    commands: int = 0
    messages: int = 0
    lines: int = 0
    seconds: float = 0.0
    decisions_lost: int = 0
    decisions_doubled: int = 0
    commands_lost: int = 0
    commands_doubled: int = 0
    commands_not_approved: int = 0
    messages_lost: int = 0
    messages_doubled: int = 0
    lines_lost: int = 0
    lines_doubled: int = 0
    gaps: int = 0
    unfinished: int = 0
    left_alive: int = 0
    damage: int = 0

    @property
    def faults(self) -> dict[str, object]:
        """Return what is not as it must be."""
        names = list(vars(self))
        judged = names[names.index("seconds") + 1 :]
        return {name: getattr(self, name) for name in judged if getattr(self, name)}


def script(steps: int) -> str:
    """Return a script whose commands are other ones in each attempt."""
    lines: list[str] = []
    for attempt in range(1, ATTEMPTS + 1):
        lines.append(f"attempt {attempt}")
        for step in range(1, steps + 1):
            lines.append(f"say a{attempt} s{step}")
            lines.append(f'ask "make a{attempt} s{step}" writes={RAN}')
    return "\n".join(f"sim: {line}" for line in (*lines, "end", "say end"))


class Stormy:
    """A home in a storm, with the processes that work on it."""

    def __init__(self, folder: Path, steps: int, seed: int) -> None:
        self.paths = Paths(folder / "home", folder / "config.yaml")
        self.log = folder / "decisions"
        self.log.touch()
        self.steps = steps
        self.chance = random.Random(seed)
        self.sent: list[tuple[str, str]] = []
        """Messages that were accepted: the run and the word that its agent writes."""
        self.kills: Counter[str] = Counter()
        self.engine = start_engine(self.paths.home)
        self.answerers: list[subprocess.Popen[bytes]] = []

    def close(self) -> None:
        """End the processes that work on it."""
        for process in (*self.answerers, self.engine):
            process.kill()
            process.wait()

    def start_all(self) -> None:
        """Start a supervisor and answerers in the place of those that are gone."""
        if self.engine.poll() is not None:
            self.engine = start_engine(self.paths.home)
        self.answerers = [one for one in self.answerers if one.poll() is None]
        while len(self.answerers) < ANSWERERS:
            words = ["--answer", str(self.paths.home), "--seed", str(self.chance.randrange(10**6))]
            program = [sys.executable, __file__, *words, "--log", str(self.log)]
            self.answerers.append(subprocess.Popen(program, stdin=subprocess.DEVNULL))

    def kill(self) -> None:
        """Kill one process of a random kind, if there is one."""
        kind = self.chance.choice(("supervisor", "bridge", "app-server", "answerer"))
        if kind == "supervisor":
            pids = [self.engine.pid] if self.engine.poll() is None else []
        elif kind == "answerer":
            pids = [one.pid for one in self.answerers if one.poll() is None]
        else:
            pids = list(self._parts(kind))
        if not pids:
            return
        with suppress(ProcessLookupError):
            os.kill(self.chance.choice(pids), signal.SIGKILL)
            self.kills[kind] += 1
        for process in (self.engine, *self.answerers):
            process.poll()

    def _parts(self, kind: str) -> Iterator[int]:
        home = os.path.realpath(self.paths.home)
        for mark, pids in marks().items():
            for pid in pids if mark.startswith(home) else ():
                with suppress(psutil.Error):
                    words = psutil.Process(pid).cmdline()
                    is_bridge, is_server = "--inbox" in words, "app-server" in words
                    if is_bridge if kind == "bridge" else is_server and not is_bridge:
                        yield pid

    async def start_runs(self, engine: Engine, count: int) -> None:
        """Queue runs."""
        for _ in range(count):
            spec = RunSpec(script(self.steps), "a run", "storm", Agent.SIMULATED, interactive=True)
            await engine.start(spec)

    async def speak(self, engine: Engine, runs: list[Run]) -> None:
        """Send a message to a run, now or after its turn."""
        live = [run for run in runs if run.status is Status.RUNNING]
        if not live:
            return
        run, word = self.chance.choice(live), f"m{len(self.sent)}"
        delivery = self.chance.choice(list(DeliveryTime))
        with suppress(UserError):
            await engine.send(run.id, f"sim: append {HEARD} {word}", delivery)
            self.sent.append((run.id, word))

    async def tend(self, engine: Engine) -> bool:
        """Go on with what a kill has ended; return whether all runs have succeeded."""
        runs = await engine.runs()
        for run in runs:
            if run.status in (Status.FAILED, Status.INTERRUPTED):
                with suppress(UserError):
                    await engine.retry(run.id)
        return all(run.status is Status.SUCCEEDED for run in runs)


async def _storm(home: Stormy, kills: int, runs: int) -> None:
    async with Engine.open(home.paths, CONFIG, follow=False) as engine:
        await home.start_runs(engine, runs)
        while home.kills.total() < kills:
            home.start_all()
            found = await engine.runs()
            if not any(run.unanswered for run in found):
                await asyncio.sleep(0.02)
            else:
                for _ in range(home.chance.randrange(3)):
                    await home.speak(engine, found)
                await asyncio.sleep(home.chance.uniform(0.0, 0.2))
                home.kill()
            if await home.tend(engine):
                await home.start_runs(engine, runs)
        deadline = time.monotonic() + END_S
        while not await home.tend(engine) and time.monotonic() < deadline:
            home.start_all()
            await asyncio.sleep(0.1)
    home.engine.wait(END_S)


def storm(folder: Path, *, kills: int, runs: int, steps: int, seed: int) -> RequestStorm:
    """Queue runs that ask, kill `kills` processes, let all end, and count."""
    started = time.monotonic()
    home = Stormy(folder, steps, seed)
    try:
        asyncio.run(_storm(home, kills, runs))
    finally:
        home.close()
    found = RequestStorm(kills=home.kills)
    asyncio.run(_judge(home, found))
    found.left_alive = left_alive(home.paths)
    found.damage = integrity(home.paths) != "ok"
    found.seconds = round(time.monotonic() - started, 1)
    return found


# The verdict


async def _judge(home: Stormy, found: RequestStorm) -> None:
    logged = [json.loads(line) for line in home.log.read_text().splitlines()]
    async with Engine.open(home.paths, CONFIG, follow=False) as engine:
        for run in await engine.runs():
            events = await engine.events(run.id)
            found.runs += 1
            found.attempts += run.attempt
            found.unfinished += run.status is not Status.SUCCEEDED
            found.gaps += [event.seq for event in events] != list(range(1, len(events) + 1))
            of_run = [one for one in logged if one["run"] == run.id]
            _judge_requests(found, run, events, of_run)
            words = [word for name, word in home.sent if name == run.id]
            _judge_messages(found, run, events, words)
            _judge_lines(found, home.paths, run, events)


def _judge_requests(
    found: RequestStorm, run: Run, events: list[Event], logged: list[dict[str, str]]
) -> None:
    """Compare requests, decisions and the commands that ran."""
    requests: dict[tuple[int, str], dict[str, list[InputRequest]]] = {}
    for event in events:
        if isinstance(body := event.body, InputRequest):
            phases = requests.setdefault((event.attempt, body.request), {})
            phases.setdefault(body.phase.value, []).append(body)
    commands = Counter(_lines(run, RAN))
    found.requests += len(requests)
    found.decisions += len(logged)
    found.commands += commands.total()
    found.commands_doubled += sum(count - 1 for count in commands.values())
    for phases in requests.values():
        answered = phases.get("answered", [])
        found.decisions_doubled += max(0, len(answered) - 1)
        found.decisions_doubled += max(0, len(phases.get("applied", [])) - 1)
        (raised,) = phases["raised"]
        is_approved = any(one.decision is Decision.APPROVE for one in answered)
        is_closed = len(phases.get("applied", [])) + len(phases.get("withdrawn", [])) == 1
        found.decisions_lost += not is_closed
        found.commands_not_approved += raised.text in commands and not is_approved
        if _is_followed(raised, events) and is_approved:
            found.commands_lost += raised.text not in commands
    known = {
        (attempt, name, one.decision)
        for (attempt, name), phases in requests.items()
        for one in phases.get("answered", [])
    }
    decided = [(int(one["attempt"]), one["request"], one["decision"]) for one in logged]
    found.decisions_lost += sum(one not in known for one in decided)
    found.decisions_doubled += len(decided) - len(set(decided))


def _is_followed(raised: InputRequest, events: list[Event]) -> bool:
    """Return whether the step of a request was completed: its agent was not killed before."""
    return any(
        isinstance(event.body, Step)
        and event.body.phase == "completed"
        and event.body.text == raised.text
        for event in events
    )


def _judge_messages(found: RequestStorm, run: Run, events: list[Event], sent: list[str]) -> None:
    """Compare messages with what the agent has heard."""
    ids = {
        event.body.text.split()[-1]: event.body.message
        for event in events
        if isinstance(event.body, MessageChanged) and event.body.text
    }
    delivered = Counter(
        event.body.message
        for event in events
        if isinstance(event.body, MessageChanged) and event.body.phase is MessagePhase.DELIVERED
    )
    heard = Counter(_lines(run, HEARD))
    found.messages += len(sent)
    # One that came when its run had just ended is the prompt of the next attempt.
    unread = [word for word in sent if ids.get(word, "") not in delivered and word not in heard]
    if unread:
        print(f"run {run.id}: unread {unread}", flush=True)
    found.messages_lost += len(unread)
    found.messages_doubled += sum(count - 1 for count in heard.values())
    found.messages_lost += bool(run.messages)


def _judge_lines(found: RequestStorm, paths: Paths, run: Run, events: list[Event]) -> None:
    """Compare the agent's messages in the output with those that are stored."""
    stored = Counter(
        (event.attempt, event.body.text)
        for event in events
        if isinstance(event.body, Step) and event.body.role == "assistant"
    )
    spooled = Counter(
        (attempt, text)
        for attempt in range(1, run.attempt + 1)
        for text in _said(paths.attempt(run.id, attempt).stdout)
    )
    found.lines += spooled.total()
    found.lines_lost += (spooled - stored).total()
    found.lines_doubled += (stored - spooled).total()


def _said(spool: Path) -> Iterator[str]:
    for line in spool.read_bytes().split(b"\n") if spool.is_file() else ():
        with suppress(ValueError, KeyError, TypeError):
            known = json.loads(line)
            item = known["params"]["item"]
            if known["method"] == "item/completed" and item["type"] == "agentMessage":
                yield item["text"]


def _lines(run: Run, name: str) -> list[str]:
    assert run.workspace
    path = Path(run.workspace.path, name)
    return path.read_text().splitlines() if path.exists() else []


# A process that answers


async def answer_all(home: Path, log: Path, seed: int) -> None:
    """Answer every request of the home at random, and write down each decision that counted."""
    chance = random.Random(seed)
    handle = os.open(log, os.O_WRONLY | os.O_APPEND)
    async with Engine.open(Paths(home, home / "config.yaml"), CONFIG, follow=False) as engine:
        while True:
            runs = [run for run in await engine.runs() if run.status in LIVE]
            for run in chance.sample(runs, len(runs)):
                for request in run.unanswered:
                    # Not at once: a request is open when something is killed.
                    if chance.random() < 0.5:
                        continue
                    if line := await _answer(engine, run, request, chance):
                        os.write(handle, line)
            await asyncio.sleep(chance.uniform(0, 0.3))


async def _answer(
    engine: Engine, run: Run, request: InputRequest, chance: random.Random
) -> bytes | None:
    decision = chance.choice((Decision.APPROVE, Decision.APPROVE, Decision.DENY))
    given = RequestAnswer(run.attempt, request.request, request.digest, decision)
    try:
        await engine.answer(run.id, given)
    except UserError:  # another one was quicker, or it was withdrawn
        return None
    noted = {
        "run": run.id,
        "attempt": run.attempt,
        "request": request.request,
        "decision": decision.value,
    }
    return json.dumps(noted).encode() + b"\n"


def main() -> None:
    """Run a storm and print what it came to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.answer:
        asyncio.run(answer_all(asked.answer, asked.log, asked.seed))
    print(f"open requests and messages in flight, seed {asked.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="requests-") as folder:
        found = storm(
            Path(folder), kills=asked.kills, runs=asked.runs, steps=asked.steps, seed=asked.seed
        )
    for name, value in vars(found).items():
        shown = dict(value) if isinstance(value, Counter) else value
        print(f"{name:>22} {shown}")
    sys.exit(bool(found.faults))


if __name__ == "__main__":
    main()
