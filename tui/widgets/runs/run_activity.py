"""The activity of a run in its row: the answer to what it is doing, or what became of it."""

from __future__ import annotations

from engine.domain.activity import THINKING, activity, clock, is_quiet, open_request_words, spoken
from engine.domain.attention import conflicts_left, is_asking, to_review
from engine.domain.cost import RunCost, no_cost
from engine.domain.failures import failure
from engine.domain.hosts import host_of
from engine.domain.lifecycle import ACTIVE, is_stalled
from engine.domain.model import Pause, Run, Status
from engine.domain.reasons import Occupation
from engine.domain.record import record
from engine.domain.text import printable_name
from tui import formatting

Part = tuple[str, str]
"""A text and its tone."""
TIMED_S = 5.0
"""Seconds from which the time of a command is shown."""


@record
class QueuePosition:
    """Obstacles of a queued run: its place, from 1, other runs by title, a pause of the queue."""

    position: int | None = None
    after: tuple[str, ...] = ()
    pause: Pause | None = None


@record
class RowContext:
    """Facts that a row depends on besides its run: the time, obstacles of its start, prices."""

    now: float
    wait: QueuePosition = QueuePosition()
    cost: RunCost = no_cost
    """Estimates the cost of the run; only a column that shows it asks."""
    depth: int = 0
    """Levels by which the run stands below another one in the list."""

    @property
    def beat(self) -> int:
        """Return a count of seconds, for parts that move."""
        return int(self.now)


def words(run: Run, now: float, wait: QueuePosition) -> str:
    """Return the activity of a run, or what it waits for."""
    if is_stalled(run):
        return run.stalled
    return activity(run, now, wait.position, after=wait.after, pause=wait.pause)


def row_activity(run: Run, moment: RowContext) -> tuple[Part, str]:
    """Return the activity with its tone, and the time of a command or a silence."""
    if is_stalled(run):
        return (run.stalled, "warn"), ""
    if is_asking(run):
        return (open_request_words(run), "warn"), ""  # the status column has the rest
    match run.status:
        case Status.QUEUED:
            wait = moment.wait
            text = activity(run, moment.now, after=wait.after, pause=wait.pause)
            return (text, "dim"), ""
        case Status.FAILED:
            return (failure(run), "bad"), ""
        case Status.INTERRUPTED:
            return (failure(run), "warn"), ""
        case _:
            return _working(run, moment.now) if run.status in ACTIVE else (_ended(run), "")


def _ended(run: Run) -> Part:
    if conflicts_left(run):
        return formatting.left_conflicts(run), "warn"
    if not run.status.is_known:
        return run.status.value, "dim"
    text = run.message if run.status is Status.SUCCEEDED else run.reason
    return text or run.message or run.reason, "plain" if to_review(run) else "dim"


def _working(run: Run, now: float) -> tuple[Part, str]:
    busy_s = now - run.doing_since
    if run.away_since is not None:
        return (f"waits for {printable_name(host_of(run))}", "warn"), clock(now - run.away_since)
    if run.status is Status.CANCELLING:
        return ("stopping", "warn"), clock(busy_s)
    if run.occupation is Occupation.COMMAND:
        return (_command(run.doing), "plain"), clock(busy_s) if busy_s >= TIMED_S else ""
    if is_quiet(run, now):
        last = f"silent · {run.message}" if run.message else "silent"
        return (last, "warn"), clock(now - run.last_sign_at)
    return (spoken(run) or run.doing or _begun(run), "plain"), ""


def _begun(run: Run) -> str:
    return "preparing the workspace" if run.status is Status.PREPARING else THINKING


def _command(doing: str) -> str:
    """Return the command alone: there is no room for a sentence around it."""
    return f"$ {doing.removeprefix('running ').strip('`')}"
