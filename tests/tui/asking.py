"""Agents that ask, on the fake engine of the dashboard's tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TypeVar

from fake_engine import FakeEngine

from engine.domain.events import Step
from engine.domain.interaction import InputRequest, ProposedChange, RequestKind, RequestPhase
from engine.domain.model import Status

NPM = "/bin/bash -lc 'npm ci'"


def request(
    text: str, *, number: str = "0", kind: RequestKind = RequestKind.COMMAND, **fields: object
) -> InputRequest:
    """Return a request; the digest covers all that it asks, as that of the agent's does."""
    digest = hashlib.sha256(repr((kind, text, sorted(fields.items()))).encode()).hexdigest()
    command = text if kind is RequestKind.COMMAND else None
    summary = text.splitlines()[0].removeprefix("/bin/bash -lc ").strip("'")
    given = {"text": summary, "command": command, "digest": digest, **fields}
    return InputRequest(number, RequestPhase.RAISED, kind, **given)  # pyright: ignore[reportArgumentType]  fields of tests


def start(engine: FakeEngine, run: str, title: str = "", batch: str | None = None) -> None:
    """A run is at work."""
    engine.add(run, title or f"Task of {run}", batch=batch)
    engine.pass_through(run, Status.PREPARING, Status.RUNNING)


def ask(engine: FakeEngine, run: str, asked: InputRequest) -> None:
    """The agent of a run asks for something."""
    engine.happen(run, asked, after_s=1)


E = TypeVar("E", bound=FakeEngine)


def asking(engine: E, requests: Mapping[str, InputRequest], batch: str | None = None) -> E:
    """Return the engine with runs at work whose agents ask, each for one thing."""
    for run, asked in requests.items():
        start(engine, run, batch=batch)
        ask(engine, run, asked)
    return engine


def end(engine: FakeEngine, run: str, phase: RequestPhase, number: str = "0") -> None:
    """A request ends: its answer reaches the agent, or it is withdrawn."""
    engine.happen(run, InputRequest(number, phase))


def patch() -> InputRequest:
    """Return a request to write one file inside and one outside the workspace."""
    changes = (
        ProposedChange("a/b.txt", "modified", "@@ -1 +1 @@\n-old\n+new"),
        ProposedChange("/etc/hosts", "modified", "@@ -1 +1 @@\n-local\n+other", outside=True),
    )
    return request("a/b.txt, /etc/hosts", kind=RequestKind.PATCH, changes=changes)


def many_kinds() -> FakeEngine:
    """Nine runs of a batch ask for one thing, three others for something of their own."""
    engine = FakeEngine()
    for number in range(9):
        start(engine, f"r{number}", f"Update package {number}", "nightly")
        engine.happen(
            f"r{number}",
            Step("tool", "command", "completed", "cat package.json", "cat package.json", 0, "{}"),
            Step("assistant", "message", "completed", "The packages are missing."),
        )
    for number in range(9):
        ask(engine, f"r{number}", request(NPM, reason="May I install the packages?", cwd="."))
    start(engine, "s0", "Clean up")
    hidden = "echo ok # fine\nrm -rf build \\x1b[8m \\u202e"
    ask(engine, "s0", request(hidden, reason="[bold]Just[/bold] tidying up", cwd="/srv/shop"))
    start(engine, "s1", "Fix the hosts")
    ask(engine, "s1", patch())
    start(engine, "s2", "Load the data")
    details = '{"permissions":{"network":{"enabled":true},"fileSystem":{"write":["/srv/data"]}}}'
    rights = request(details, kind=RequestKind.PERMISSIONS, details=details, reason="To download")
    ask(engine, "s2", rights)
    return engine
