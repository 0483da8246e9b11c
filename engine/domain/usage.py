"""Usage over time: what is asked of the ledger, and its answers.

Tokens are exact, as the agents reported them. Costs are estimates at list prices. Times are seconds
since 1970 (UTC).
"""

from __future__ import annotations

from enum import StrEnum

from engine.domain.model import Usage
from engine.domain.record import record

SLOT_S = 300
"""The ledger counts in slots of five minutes: the first of 1970 is number 0.

The days of every time zone begin with one.
"""
DEFAULT_ACCOUNT = "default"
"""The account of the runs that name none: that of the user's own login."""
OTHER_SESSIONS = "other sessions"
"""The name of the threads that were started elsewhere."""
FORGOTTEN_RUNS = "forgotten runs"
"""The name of the runs that were removed; their usage stays."""
SIMULATED = "simulated"
"""The model and the account of simulated runs: they cost nothing, and use up no limit."""


class UsageGroup(StrEnum):
    """The subjects by which usage is summed up."""

    DAY = "day"
    WEEK = "week"
    CYCLE = "cycle"
    RUN = "run"
    BATCH = "batch"
    PROJECT = "project"
    MODEL = "model"
    ACCOUNT = "account"


@record
class UsageQuery:
    """A question to the ledger: the rows that are counted, and how they are summed up."""

    by: UsageGroup = UsageGroup.DAY
    since: float | None = None
    until: float | None = None
    runs: frozenset[str] | None = None
    """The ids of the runs that count; None: all, and the other sessions."""
    account: str | None = None
    """The account that counts; None: all."""
    project: str | None = None
    model: str | None = None
    """The project and the model that count; None: all."""
    has_other_sessions: bool = True


@record
class UsageRow:
    """The usage of one group, such as a day, a run or a model."""

    key: str
    """The group: `2026-11-30` (local time), a run's id, a model. Empty: unknown."""
    usage: Usage = Usage()
    runs: int = 0
    """Runs with usage in this group; other sessions do not count."""
    seconds: float = 0.0
    """Time that their attempts took."""
    cost_usd: float | None = None
    """The estimate; None: no price is known of any of its models."""
    unpriced: Usage = Usage()
    """The part of the usage that has no price."""
    starts_at: float | None = None
    """The beginning of a group that is a time."""
    ends_at: float | None = None
    other: Usage = Usage()
    """The part of the usage that is of other sessions."""
    other_cost_usd: float | None = None
    """The cost of that part; None: no price is known."""
    other_unpriced: Usage = Usage()
    is_other_sessions: bool = False
    """True if the group holds other sessions only, without a run, batch or known project."""
    is_forgotten: bool = False
    """True if the group holds forgotten runs only, whose run and batch are no longer known."""

    @property
    def tokens(self) -> int:
        """Return the tokens in both directions."""
        return self.usage.input + self.usage.output


@record
class SessionProgress:
    """The progress of reading the session files of this machine."""

    found: int = 0
    """Files that are new or have grown, in the pass that is at work or was the last."""
    read: int = 0
    read_until: float | None = None
    """Start of the last complete pass; None: there was none."""
    complete_at: float | None = None
    """Start of the last pass that checked every file."""
    at: float | None = None
    """Time at which this was noted."""
    unread: int = 0
    """Files and folders that could not be read in the last pass."""
    unread_name: str = ""
    unread_reason: str = ""
    failure: str = ""
    """Reason why the last pass ended early; empty: it did not."""

    @property
    def is_reading_first(self) -> bool:
        """Return whether the first pass has begun, and has not read everything yet."""
        return self.read_until is None and self.at is not None

    @property
    def problem(self) -> str:
        """Return the sentence about what could not be read; empty: everything was read."""
        if self.failure:
            return f"Other sessions could not be read: {self.failure}."
        if not self.unread:
            return ""
        others = f" and {self.unread - 1} more" if self.unread > 1 else ""
        return f"{self.unread_name}{others} could not be read: {self.unread_reason}."


@record
class UsageReport:
    """The answer to a question, with its total."""

    query: UsageQuery
    rows: tuple[UsageRow, ...] = ()
    total: UsageRow = UsageRow("total")
    read_until: float | None = None
    """Time at which the other sessions were read last; None: never to the end."""
    is_reading: bool = False
    """True if other sessions are being read for the first time: their usage still grows."""
    sessions: SessionProgress = SessionProgress()
    """The progress of reading the other sessions."""


@record
class LimitSample:
    """A rate-limit window of an account, as an agent reported it at a moment."""

    account: str
    name: str
    at: float
    used_percent: float
    window_minutes: int | None = None
    resets_at: float | None = None


class PaceBasis(StrEnum):
    """The time over which the pace of a window was measured."""

    HOUR = "hour"
    DAYS = "days"


@record
class LimitForecast:
    """The forecast of a rate-limit window at its present pace."""

    full_at: float | None
    """Time at which it is full; None: not before its reset."""
    percent_per_hour: float
    basis: PaceBasis


@record
class LimitCycle:
    """A rate-limit window of an account since its last reset, with what was used in it."""

    account: str
    name: str
    used_percent: float
    window_minutes: int | None
    starts_at: float | None
    resets_at: float | None
    seen_at: float
    usage: Usage = Usage()
    cost_usd: float | None = None
    full_at: float | None = None
    """Time at which it is full at the present pace; None: not before its reset, or unknown."""
    unpriced: Usage = Usage()
    """The part of the usage that has no price."""

    @property
    def cost_per_percent(self) -> float | None:
        """Return the estimated cost of a percent of the window; None where it is not known."""
        if self.cost_usd is None or self.tokens_per_percent is None:
            return None
        return self.cost_usd / self.used_percent

    @property
    def tokens_per_percent(self) -> float | None:
        """Return the tokens per percent of the window; None where nothing is used."""
        tokens = self.usage.input + self.usage.output
        return tokens / self.used_percent if self.used_percent > 0 and tokens else None


@record
class SpentRun:
    """The usage of a run that succeeded or failed, and what makes it similar to others."""

    id: str
    agent: str
    template: str
    model: str
    """The model that was asked for; empty: the agent's own choice."""
    project: str
    usage: Usage
    billed_model: str = ""
    """The model that it used last; empty: unknown."""

    @property
    def tokens(self) -> int:
        """Return its tokens of input and output."""
        return self.usage.input + self.usage.output


class EstimateBasis(StrEnum):
    """Property that ended runs share with new ones, the nearest first."""

    TEMPLATE = "template"
    PROJECT = "project"
    ALL = "all"


@record
class WindowShare:
    """The part of a rate-limit window that new runs will use."""

    name: str
    window_minutes: int | None
    percent: float


@record
class SpendEstimate:
    """An estimate of the usage of new runs, from similar ones; tokens are input and output.

    `low` and `high` are the 10th and the 90th percentile of the sum.
    """

    runs: int
    tokens: float
    low: float
    high: float
    sample: int
    """The number of ended runs that it is made from."""
    basis: EstimateBasis
    """The property that they share."""
    cost_usd: float | None = None
    shares: tuple[WindowShare, ...] = ()
    """The shares of the rate-limit windows, where these are known."""


def slot_of(at: float) -> int:
    """Return the number of the slot that a time is in."""
    return int(at // SLOT_S)
