"""`swarm-tui approve` and `swarm-tui deny`: answers to the requests of agents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.domain.interaction import Decision
from tui.cli.support.options import (
    BatchParam,
    ChoiceParam,
    ProjectParam,
    TextParam,
    everywhere,
    examples,
    json_option,
    read_stdin,
)

if TYPE_CHECKING:
    from tui.cli.support.bulk_answers import RequestSelection

KINDS = ("command", "patch", "permissions", "tool")
SCOPES = ("run", "batch", "project")
Function = TypeVar("Function", bound=Callable[..., Any])


def _selection_options(function: Function) -> Function:
    """Add the options by which many requests are answered, and those of a rule."""
    for option in reversed(
        (
            click.option("--all", "every", is_flag=True, help="Answer all open requests."),
            click.option(
                "--kind", type=ChoiceParam(KINDS), help="With --all: only requests of this kind."
            ),
            click.option(
                "--matching",
                type=TextParam(),
                metavar="TEXT",
                help="With --all: this command, patches below this path, or this SERVER.TOOL.",
            ),
            click.option(
                "--project", type=ProjectParam(), help="With --all: only runs of this project."
            ),
            click.option("--batch", type=BatchParam(), help="With --all: only runs of this batch."),
            click.option(
                "--always",
                is_flag=True,
                help="With one REQUEST: answer later requests like it, too.",
            ),
            click.option(
                "--for",
                "scope",
                type=ChoiceParam(SCOPES),
                help="Where --always holds: for the run (default), its batch or its project.",
            ),
            click.option(
                "--prefix", "is_prefix", is_flag=True, help="With --always: what begins like it."
            ),
            click.option("-y", "--yes", is_flag=True, help="Answer without asking."),
        )
    ):
        function = option(function)
    return function


@click.command(
    epilog=examples(
        "approve 01ke3x7m0a:1:0",
        "approve 01ke3x7m0a:1:0 01ke3x9p7c:1:2",
        "approve --all --batch nightly",
        "approve --all --matching 'npm ci' --yes",
        "approve 01ke3x7m0a:1:0 --always --for project",
    )
)
@click.argument("requests", metavar="[REQUEST...]", nargs=-1, type=TextParam())
@_selection_options
@json_option("Print the run objects; with --always, the rule.")
@everywhere()
def approve(requests: tuple[str, ...], as_json: bool, **options: Any) -> int:  # noqa: ANN401  click passes options by name
    """Approve what agents ask for; `inbox` shows the ids.

    An approved command runs outside the sandbox: it can do what you can. --all prints each distinct
    request with its count first. --always prints the rule in words first.
    """
    from tui.cli.support import session

    wanted = _AnswerOptions(requests, Decision.APPROVE, "", as_json, **options)
    wanted.check()
    return session.start(_answer(wanted))


@click.command(
    epilog=examples(
        "deny 01ke3x7m0a:1:0",
        "deny 01ke3x7m0a:1:0 'Use the tests in tests/unit'",
        "deny 01ke3x7m0a:1:0 -",
        "deny --all --matching 'git push' --yes 'Open a pull request instead'",
        "deny 01ke3x7m0a:1:0 --always --prefix --for project",
    )
)
@click.argument("request", metavar="[REQUEST]", required=False, type=TextParam())
@click.argument("message", metavar="[MESSAGE]", required=False, type=TextParam())
@click.option("--stop", is_flag=True, help="End the agent's turn, too.")
@_selection_options
@json_option("Print the run objects; with --always, the rule.")
@everywhere()
def deny(
    request: str | None,
    message: str | None,
    stop: bool,
    as_json: bool,
    **options: Any,  # noqa: ANN401  click passes options by name
) -> int:
    """Deny what an agent asks for; it reads MESSAGE together with the denial, and goes on.

    `-` reads the message from stdin. With --all there is no REQUEST.
    """
    from tui.cli.support import session

    if options["every"]:
        request, message = None, request if message is None else f"{request} {message}"
    if stop and message is not None:
        raise click.UsageError("Use a MESSAGE or --stop: no turn is left that could read it.")
    if options["always"] and (stop or message is not None):
        raise click.UsageError("--always takes neither a MESSAGE nor --stop.")
    decision = Decision.STOP if stop else Decision.DENY
    names = () if request is None else (request,)
    wanted = _AnswerOptions(names, decision, message or "", as_json, **options)
    wanted.check()
    if message == "-":
        wanted.text = read_stdin()
    return session.start(_answer(wanted))


@dataclass
class _AnswerOptions:
    """The arguments of a command that answers requests."""

    requests: tuple[str, ...]
    decision: Decision
    text: str
    as_json: bool
    every: bool
    kind: str | None
    matching: str | None
    project: str | None
    batch: str | None
    always: bool
    scope: str | None
    is_prefix: bool
    yes: bool

    def check(self) -> None:
        """Raise `click.UsageError` for options that do not fit each other."""
        is_filtered = any((self.kind, self.matching, self.project, self.batch))
        if self.always and (self.every or is_filtered or len(self.requests) != 1):
            raise click.UsageError(
                "--always takes one REQUEST, without --all, --kind, --matching, --project and "
                "--batch; `swarm-tui rules add` makes a rule without a request."
            )
        if self.every and self.requests:
            raise click.UsageError("Use REQUESTs or --all.")
        if not self.every and not self.requests:
            raise click.UsageError("Name a REQUEST, or use --all.")
        if is_filtered and not self.every:
            raise click.UsageError("--kind, --matching, --project and --batch go with --all.")
        if self.every and self.yes and not (self.kind or self.matching):
            raise click.UsageError("--all --yes needs --kind or --matching.")
        self._check_rule()

    def _check_rule(self) -> None:
        if (self.scope or self.is_prefix) and not self.always:
            raise click.UsageError("--for and --prefix go with --always.")

    @property
    def selection(self) -> RequestSelection:
        """The requests that `--all` means."""
        from tui.cli.support.bulk_answers import RequestSelection

        return RequestSelection(self.kind, self.matching, self.project, self.batch)


async def _answer(wanted: _AnswerOptions) -> int:
    from tui.cli.support import bulk_answers, new_rules, open_requests, session

    as_json, decision, text = wanted.as_json, wanted.decision, wanted.text
    async with session.open_engine() as engine:
        if wanted.always:
            return await new_rules.answer_always(
                engine,
                wanted.requests[0],
                decision,
                wanted.scope or "run",
                is_prefix=wanted.is_prefix,
                yes=wanted.yes,
                as_json=as_json,
            )
        if wanted.every:
            return await bulk_answers.answer_selected(
                engine, wanted.selection, decision, text, yes=wanted.yes, as_json=as_json
            )
        # All are found before the first is answered.
        found = [await open_requests.find_one(engine, name) for name in wanted.requests]
        return await bulk_answers.answer_each(engine, found, decision, text, as_json=as_json)
