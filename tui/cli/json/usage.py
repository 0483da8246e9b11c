"""Usage by time, run, model and more, and the rate-limit windows."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from engine.domain.usage import UsageGroup
from tui.cli.json.base import Count, Shape, Time

Cost = Annotated[float | None, Meta(description="estimate at list prices; null: no known price")]


class UsedTokensJson(Shape):
    """Tokens, and the model requests that used them."""

    input: Count
    cached: Annotated[Count, Meta(description="part of input")]
    output: Count
    reasoning: Annotated[Count, Meta(description="part of output")]
    requests: Count


class UsageRowJson(Shape):
    """The usage of one group."""

    key: Annotated[
        str, Meta(description="local date, id of a run or batch, project, …; empty: none, unknown")
    ]
    title: Annotated[str | None, Meta(description="of a run")]
    starts_at: Annotated[Time | None, Meta(description="of a day, week or cycle")]
    ends_at: Time | None
    tokens: UsedTokensJson
    runs: Annotated[Count, Meta(description="without other sessions")]
    seconds: Annotated[float, Meta(ge=0, description="time that the attempts took")]
    cost_usd: Cost
    without_price: Annotated[UsedTokensJson, Meta(description="part without a known price")]
    of_other_sessions: Annotated[UsedTokensJson, Meta(description="part of other sessions")]
    cost_usd_of_other_sessions: Cost
    is_other_sessions: Annotated[bool, Meta(description="only sessions that were not runs here")]
    is_forgotten: Annotated[bool, Meta(description="only forgotten runs")]


class LimitCycleJson(Shape):
    """A rate-limit window of an account since its last reset."""

    account: str
    name: str
    used_percent: Annotated[float, Meta(ge=0)]
    window_minutes: Count | None
    starts_at: Annotated[Time | None, Meta(description="null: unknown")]
    resets_at: Annotated[Time | None, Meta(description="passed: it has reset, nothing seen since")]
    seen_at: Time
    tokens: Annotated[UsedTokensJson | None, Meta(description="used since starts_at")]
    cost_usd: Cost
    without_price: Annotated[UsedTokensJson, Meta(description="part without a known price")]
    tokens_per_percent: float | None
    cost_usd_per_percent: Cost
    full_at: Annotated[Time | None, Meta(description="at the present pace; null: resets before")]


class OtherSessionsJson(Shape):
    """The reading of sessions that were started elsewhere."""

    read_at: Annotated[Time | None, Meta(description="null: never")]
    is_reading: Annotated[bool, Meta(description="first reading: the numbers still grow")]
    found: Annotated[int, Meta(description="new or grown session files in the last pass")]
    read: Annotated[int, Meta(description="of these, the ones that were read")]
    unread: Annotated[int, Meta(description="files and folders that could not be read")]
    problem: Annotated[str | None, Meta(description="why something could not be read")]


class UsageJson(Shape):
    """Usage in groups; totals count everything once, also where groups overlap (cycle)."""

    by: UsageGroup
    since: Time | None
    until: Time | None
    account: Annotated[str | None, Meta(description="null: all")]
    rows: list[UsageRowJson]
    total: UsageRowJson
    cycles: list[LimitCycleJson]
    other_sessions: OtherSessionsJson
