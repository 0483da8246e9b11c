"""`swarm-tui usage`: tokens, time and estimated cost of runs and other sessions."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import click

from engine.domain.text import printable_name
from engine.domain.usage import UsageGroup, UsageQuery, UsageReport
from tui.cli.support import output
from tui.cli.support.argument_completion import accounts, filter_terms
from tui.cli.support.filter_text import filter_text
from tui.cli.support.options import (
    ChoiceParam,
    NumberParam,
    PastParam,
    TextParam,
    everywhere,
    examples,
    json_option,
)
from tui.cli.support.usage_output import (
    MOST_ROWS,
    UsageOutput,
    UsageRequest,
    answer_csv,
    answer_json,
    counts_other_sessions,
    first_day,
    listed_rows,
    read_usage,
)

if TYPE_CHECKING:
    pass

STALE_S = 600.0
"""Seconds after which the age of the reading of other sessions is shown."""


@click.command(
    epilog=examples(
        "usage",
        "usage --by cycle",
        "usage --by model --since 7d",
        "usage --by run tag:release",
        "usage --by day --since 2031-05-01 --csv",
    )
)
@click.argument(
    "terms", metavar="[FILTER...]", nargs=-1, type=TextParam(), shell_complete=filter_terms
)
@click.option(
    "--by",
    type=ChoiceParam(UsageGroup),
    default=UsageGroup.DAY.value,
    help=f"Sum up by {', '.join(list(UsageGroup)[:-1])} or account.  [default: day]",
    metavar="GROUP",
)
@click.option(
    "--since",
    type=PastParam(),
    metavar="TIME",
    help="Only usage since then: 2h, 3d, HH:MM or a date.  [default: 14 days by day, 12 weeks by"
    " week, else all]",
)
@click.option(
    "--until", type=PastParam(), metavar="TIME", help="Only usage before then, in the same forms."
)
@click.option(
    "--account",
    type=TextParam(),
    metavar="NAME",
    shell_complete=accounts,
    help="Only usage of this account.",
)
@click.option("--runs-only", is_flag=True, help="Leave other sessions out.")
@click.option(
    "-n",
    "--limit",
    type=NumberParam(min=1),
    help=f"List at most N groups.  [default: {MOST_ROWS}; all with --json or --csv]",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@json_option("Print the usage and the rate-limit windows as one JSON object.")
@everywhere()
def usage(
    terms: tuple[str, ...],
    by: str,
    since: float | None,
    until: float | None,
    account: str | None,
    runs_only: bool,
    limit: int | None,
    as_csv: bool,
    as_json: bool,
) -> int:
    """Show tokens, time and estimated cost; `--by cycle`: the rate-limit windows since their reset.

    FRESH is input that was not cached, REASONING a part of OUTPUT. Costs are estimates at list
    prices. Sessions of Codex that were started elsewhere count as other sessions. FILTER is as in
    `ls`, but archived runs count; with it, other sessions and forgotten runs do not count.
    """
    from tui.cli.support import session

    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other.")
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--until must be later than --since.")
    group = UsageGroup(by)
    if since is None and until is None:
        since = first_day(group, time.time())
    query = UsageQuery(group, since, until, account=account, has_other_sessions=not runs_only)
    return session.start(
        _usage(UsageRequest(query, filter_text(terms), limit, as_json=as_json, as_csv=as_csv))
    )


async def _usage(request: UsageRequest) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        answer = await read_usage(engine, request, output.say_aside)
    if request.as_json:
        output.say_json(answer_json(request, answer))
    elif request.as_csv:
        output.say_bytes(answer_csv(request, answer))
    else:
        listed = replace(answer.report, rows=listed_rows(answer.report.rows, request))
        _print(request, answer, listed)
    return 0


def _print(request: UsageRequest, answer: UsageOutput, listed: UsageReport) -> None:
    from tui.cli.support.usage_table import cycle_lines, table

    by, report = request.query.by, answer.report
    is_plain = not request.text and by is UsageGroup.DAY and request.query.until is None
    windows = list(cycle_lines(answer.cycles, time.time()))
    if by is UsageGroup.CYCLE:
        output.say_styled(windows)
        _print_cycle_notes(request, answer)
        return
    if windows and is_plain:
        output.say_styled([*windows, []] if report.rows else windows)
    if report.rows:
        output.say_styled(table(listed, answer.runs))
    _print_notes(request, report, len(report.rows) - len(listed.rows))


def _print_notes(request: UsageRequest, report: UsageReport, left_out: int) -> None:
    """Print what there is to know about the numbers."""
    if left_out:
        output.say_aside(f"Not listed: {left_out} more; -n NUMBER lists them.")
    if not report.rows:
        output.say_aside(_nothing_used(request))
    if report.total.cost_usd is not None:
        rest = report.total.unpriced.input + report.total.unpriced.output
        note = "; +: a part has no known price" if rest else ""
        output.say_aside(f"Costs are estimates at list prices{note}.")
    _print_reading(request, report)


def _nothing_used(request: UsageRequest) -> str:
    query = request.query
    if request.text:
        return "No usage matches."
    if query.account is not None:
        return f"No usage of an account named {printable_name(query.account)}."
    if query.since is not None and query.until is None:
        return f"No usage since {datetime.fromtimestamp(query.since):%Y-%m-%d %H:%M}."
    return "No usage in this time." if query.until is not None else "No usage yet."


def _print_reading(request: UsageRequest, report: UsageReport) -> None:
    """Print how far other sessions are read, where they count."""
    if not counts_other_sessions(request):
        return
    progress = report.sessions
    if report.is_reading:
        share = f" ({progress.read} of {progress.found} files)" if progress.found else ""
        output.say_aside(f"Other sessions are still being read{share}: their usage grows.")
    elif report.read_until is not None and time.time() - report.read_until > STALE_S:
        from tui import formatting

        ago = formatting.ago(report.read_until, time.time())
        output.say_aside(f"Other sessions were read {ago}.")
    if progress.problem:
        output.say_aside(progress.problem)


def _print_cycle_notes(request: UsageRequest, answer: UsageOutput) -> None:
    if not answer.cycles:
        output.say_aside("No rate-limit window was reported yet.")
    elif request.text:
        from tui import formatting

        parts = ", ".join(
            f"{formatting.tokens(row.tokens)} in {row.key}" for row in answer.report.rows
        )
        output.say_aside(f"The selected runs used {parts}.")
    if any(cycle.cost_usd is not None for cycle in answer.cycles):
        output.say_aside("Costs are estimates at list prices.")
    _print_reading(request, answer.report)
