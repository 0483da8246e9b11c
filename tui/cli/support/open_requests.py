"""Open requests of agents: found, named by their ids, and printed whole."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from engine.domain.activity import clock
from engine.domain.answers import Values
from engine.domain.errors import UserError, user_error
from engine.domain.events import Event
from engine.domain.interaction import INPUT_KINDS, Decision, InputRequest, RequestAnswer
from engine.domain.lifecycle import LIVE
from engine.domain.model import Run
from engine.domain.run_json import request_id
from engine.domain.text import escaped
from tui.cli.support import session
from tui.formatting.input_fields import answer_command
from tui.formatting.interaction import request_lines

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

OpenRequest = tuple[Run, InputRequest]


async def find_open(
    engine: EnginePort,
    names: Sequence[str] = (),
    project: str | None = None,
    batch: str | None = None,
) -> list[OpenRequest]:
    """Return the requests that wait for an answer, oldest first; `names` are runs."""
    if names:
        named = await session.find_all(engine, names)
        runs = [
            run
            for run in named
            if project in (None, run.spec.project) and batch in (None, run.spec.batch)
        ]
    else:
        runs = await engine.runs(statuses=LIVE, project=project, batch=batch)
    found = [(run, request) for run in runs for request in run.unanswered]
    return sorted(found, key=lambda one: (one[1].raised_at or 0.0, one[0].id))


async def find_one(engine: EnginePort, name: str) -> OpenRequest:
    """Return the open request of an id, `RUN:ATTEMPT:NUMBER`; raises `UserError`.

    The whole id is needed: a run alone may ask for something else by now, and `@last` or a part of
    the run's id may mean another run by now.
    """
    run_name, _, rest = name.partition(":")
    attempt, _, number = rest.partition(":")
    if not number:
        raise _not_an_id(name)
    try:
        run = await engine.find(run_name)
    except UserError as error:
        raise _not_an_id(name) if error.code == "RUN_AMBIGUOUS" else error from None
    if run.id != run_name:
        raise _not_an_id(name)
    for request in run.unanswered:
        if (str(run.attempt), request.request) == (attempt, number):
            return run, request
    raise user_error("REQUEST_NOT_PENDING")


def _not_an_id(name: str) -> UserError:
    return user_error(
        "INPUT_INVALID",
        f"Not the id of a request: {escaped(name[:100])}.",
        "It is RUN:ATTEMPT:NUMBER with the complete id of the run, as `swarm-tui inbox` shows it.",
    )


def answer_to(
    found: OpenRequest, decision: Decision, text: str = "", values: Values | None = None
) -> RequestAnswer:
    """Return the answer to a request as it was shown."""
    run, request = found
    return RequestAnswer(run.attempt, request.request, request.digest, decision, text, values or {})


def answer_hint(found: OpenRequest) -> str:
    """Return the commands that answer a request, with its whole id."""
    name = request_id(*found)
    if found[1].kind in INPUT_KINDS:
        return f"{answer_command(name, found[1].fields)}, or swarm-tui deny {name}"
    return f"swarm-tui approve {name}, or swarm-tui deny {name}"


def raised_by(event: Event, run: Run) -> OpenRequest | None:
    """Return the request that an event raised, if it is still open."""
    if not isinstance(event.body, InputRequest) or event.attempt != run.attempt:
        return None
    name = event.body.request
    return next(((run, one) for one in run.unanswered if one.request == name), None)


def described(found: Iterable[OpenRequest]) -> Iterator[str]:
    """Yield the lines that show requests whole."""
    now = time.time()
    for run, request in found:
        waits = clock(now - (now if request.raised_at is None else request.raised_at))
        kind = request.kind.value if request.kind else "request"
        yield f"{request_id(run, request)} · {kind} · waits {waits} · {escaped(run.spec.title)}"
        yield from (f"  {line}" for line in request_lines(request))
        if request.kind in INPUT_KINDS:
            yield f"  {answer_command(request_id(run, request), request.fields)}"
