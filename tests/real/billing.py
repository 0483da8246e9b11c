"""The bills of a loopback model server, to compare with the usage of runs: to the token."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

from house import House
from loopback import Bill, LoopbackServer
from usage.session_model import Ledger

from engine.domain.model import Run, Usage

PARTS = ("input", "cached", "output", "reasoning", "requests")


def billed(server: LoopbackServer, which: Callable[[Bill], bool] = lambda _: True) -> Usage:
    """Sum up the requests that the server answered to the end: all, or some of them.

    A bill has the model, the thread and the headers of the request: such as its account.
    """
    return sum((_usage(bill) for bill in list(server.bills) if which(bill)), Usage())


def billed_by_model(server: LoopbackServer) -> dict[str, Usage]:
    """Sum up these requests by model."""
    models = {bill.model for bill in list(server.bills)}
    return {model: billed(server, lambda bill, m=model: bill.model == m) for model in models}


def ledger(house: House, by: str = "model", run: Run | None = None) -> dict[str, Usage]:
    """Return the sums of the ledger by one of its columns, of all runs or of one."""
    sums = ", ".join(f"sum({part})" for part in PARTS)
    where, values = ("WHERE run = ?", (run.id,)) if run else ("", ())
    query = f"SELECT {by}, {sums} FROM usage_slots {where} GROUP BY {by}"
    with closing(sqlite3.connect(house.paths.database)) as db:
        return {row[0]: Usage(*row[1:]) for row in db.execute(query, values)}


def check(server: LoopbackServer, house: House, *runs: Run) -> None:
    """Check that these runs, which are all, counted what was billed: by run, and by model."""
    counted = sum((run.usage for run in runs), Usage())
    assert counted == billed(server), (counted, billed(server))
    assert ledger(house, "run") == {run.id: run.usage for run in runs if run.usage != Usage()}
    assert ledger(house) == billed_by_model(server)
    assert as_other_sessions(house) == counted  # the rule for sessions from elsewhere


def as_other_sessions(house: House) -> Usage:
    """Return the usage of all threads in the Codex home, as if they were started elsewhere."""
    sessions = Ledger(house.codex_home)
    try:
        sessions.read()
        sums = ", ".join(f"total({part})" for part in PARTS)
        (row,) = sessions.db.execute(f"SELECT {sums} FROM session_slots")
        return Usage(*map(int, row))
    finally:
        sessions.close()


def _usage(bill: Bill) -> Usage:
    used = bill.usage
    return Usage(
        used.input_tokens,
        used.cached_input_tokens,
        used.output_tokens,
        used.reasoning_output_tokens,
        requests=1,
    )
