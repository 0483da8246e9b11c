"""Answers to many requests at once: selected, shown once for all equal ones, and confirmed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from engine.domain import rule_matching, simple_command
from engine.domain.approval_rules import ApprovalRule, RuleScope
from engine.domain.errors import UserError, user_error
from engine.domain.interaction import Decision, InputRequest, RequestKind
from engine.domain.model import Run
from engine.domain.run_json import request_id
from tui.cli.support import failure, open_requests, output, session
from tui.cli.support.open_requests import OpenRequest
from tui.formatting.interaction import has_hidden, request_lines

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

KINDS = (RequestKind.COMMAND, RequestKind.PATCH, RequestKind.PERMISSIONS, RequestKind.TOOL)
"""Kinds of requests that are approved or denied."""
WORDS = {Decision.APPROVE: "approved", Decision.DENY: "denied", Decision.STOP: "stopped"}


@dataclass(frozen=True)
class RequestSelection:
    """The open requests that `--all` means."""

    kind: str | None = None
    matching: str | None = None
    project: str | None = None
    batch: str | None = None
    runs: tuple[str, ...] = ()

    async def find(self, engine: EnginePort, decision: Decision) -> list[OpenRequest]:
        """Return the selected requests that can be approved or denied, oldest first."""
        return [one for one in await self.all(engine) if self._fits(one[1], decision)]

    async def all(self, engine: EnginePort) -> list[OpenRequest]:
        """Return the open requests of the selected runs, oldest first."""
        batch = (await engine.swarms.find(self.batch)).id if self.batch else None
        return await open_requests.find_open(engine, self.runs, self.project, batch)

    def _fits(self, request: InputRequest, decision: Decision) -> bool:
        if request.kind not in KINDS or self.kind not in (None, request.kind):
            return False
        if decision is Decision.APPROVE and request.is_cut:
            return False  # it can only be denied
        text = self.matching
        return text is None or any(
            rule_matching.matches(rule, request) for rule in _rules_for(text, decision)
        )


def _rules_for(text: str, decision: Decision) -> Iterator[ApprovalRule]:
    """Yield the rules whose requests match a text: so it matches strictly what is approved."""
    rule_decision = Decision.APPROVE if decision is Decision.APPROVE else Decision.DENY
    forms = [
        (RequestKind.COMMAND, (text,), False),
        (RequestKind.COMMAND, simple_command.parse(text) or (), True),
        (RequestKind.PATCH, (text,), False),
        (RequestKind.PATCH, (text,), True),
        (RequestKind.TOOL, tuple(text.split(".", 1)), False),
    ]
    for kind, match, is_prefix in forms:
        yield ApprovalRule(kind, match, RuleScope.HOME, "", rule_decision, is_prefix)


def grouped(found: Sequence[OpenRequest]) -> list[list[OpenRequest]]:
    """Return the requests in groups that are equal in all that they ask."""
    groups: dict[tuple[str, str], list[OpenRequest]] = {}
    for run, request in found:
        # Without a digest, nothing is known to be equal.
        same = request.digest or request_id(run, request)
        groups.setdefault((str(request.kind), same), []).append((run, request))
    return list(groups.values())


def described(groups: Sequence[Sequence[OpenRequest]]) -> Iterator[str]:
    """Yield the lines that show each distinct request whole, with its count."""
    for group in groups:
        _, request = group[0]
        runs = len({run.id for run, _ in group})
        count = f"×{len(group)}" + (f" in {runs} runs" if runs > 1 else "")
        kind = request.kind.value if request.kind else "request"
        yield f"{count} · {kind} · {', '.join(request_id(*one) for one in group[:3])}" + (
            f" and {len(group) - 3} more" if len(group) > 3 else ""
        )
        yield from (f"  {line}" for line in request_lines(request))


def is_odd(request: InputRequest) -> bool:
    """Return whether a request has several lines, or characters that cannot be seen."""
    return request.is_cut or "\n" in (request.command or "") or has_hidden(request)


def confirm(question: str, recovery: str) -> bool:
    """Ask on the terminal; raises `UserError` without one."""
    if not (sys.stdin.isatty() and output.is_terminal(sys.stderr)):
        raise user_error("INPUT_INVALID", "Cannot ask without a terminal.", recovery)
    return click.confirm(question, err=True)


async def answer_selected(
    engine: EnginePort,
    selection: RequestSelection,
    decision: Decision,
    text: str = "",
    *,
    yes: bool,
    as_json: bool,
) -> int:
    """Show the selected requests, answer them once the user agrees, and return the exit code."""
    found = await selection.find(engine, decision)
    if yes and decision is Decision.APPROVE:
        left = [one for one in found if is_odd(one[1])]
        found = [one for one in found if not is_odd(one[1])]
        for one in left:
            odd = "several lines or hidden characters: approve it by its id"
            output.say_aside(f"{request_id(*one)} left open: {odd}")
    if not found:
        output.say_aside("no open request matches")
        if as_json:
            output.say_json([])
        return 0
    groups = grouped(found)
    show = output.say_aside if as_json else output.say
    show("\n".join(described(groups)))
    verb = "Approve" if decision is Decision.APPROVE else "Deny"
    question = f"{verb} {_counted(len(found), len(groups))}?"
    recovery = "Use --yes together with --kind or --matching."
    if not yes and not confirm(question, recovery):
        return failure.EXIT_CANCELLED
    return await answer_each(engine, found, decision, text, as_json=as_json)


def _counted(all_of_them: int, distinct: int) -> str:
    if all_of_them == 1:
        return "this request"
    if distinct == all_of_them:
        return f"these {distinct} requests"
    return f"{all_of_them} requests, {distinct} of them distinct"


async def answer_each(
    engine: EnginePort,
    found: Sequence[OpenRequest],
    decision: Decision,
    text: str = "",
    *,
    as_json: bool,
) -> int:
    """Answer requests as they were shown, print what became of each; return the exit code."""
    from engine.domain.run_json import run_json

    answers = [(one[0].id, open_requests.answer_to(one, decision, text)) for one in found]
    results = await engine.answer_all(answers)
    session.go_on(engine.paths)  # a supervisor has to hand it on
    runs = {run.id: run for run in results if isinstance(run, Run)}
    errors = [one for one in results if isinstance(one, UserError)]
    for one, result in zip(found, results, strict=True):
        if isinstance(result, UserError) and len(results) > 1:
            output.say_aside(f"{request_id(*one)}: {result.message}")
        elif not isinstance(result, UserError) and not as_json:
            output.say(f"{request_id(*one)} {WORDS[decision]}")
    if len(results) == 1 and errors:
        raise errors[0]
    if as_json:
        import time

        output.say_json(
            [run_json(run, time.time(), cost=engine.costs.of_run) for run in runs.values()]
        )
    return failure.EXIT_USER_ERROR if errors else 0
