"""The rule that flags a run which spends far more than others like it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain import spend
from engine.domain.events import Event, Notice, StatusChanged, UsageCounted, event_json
from engine.domain.messages import MessageTopic, Subscription, is_wanted, of_run, topic_of
from engine.domain.model import Run, RunSpec, Status
from engine.domain.projection import fold
from engine.domain.reasons import Subject
from engine.domain.run_json import run_json
from engine.domain.spend import FLOOR_TOKENS, BatchUsage, Sibling, SpendBasis, SpendFlag
from engine.notifications.message_text import words
from engine.store import codec
from tui import formatting
from tui.models.filters import compile_filter

FLAG = SpendFlag(8.0, SpendBasis.BATCH, 1_200_000, 150_000)
NOTICE = Notice("warning", "expensive", subject=Subject.EXPENSIVE, spend=FLAG)


def ended(*tokens: int) -> list[Sibling]:
    return [Sibling(f"e{n}", count, 60.0, True) for n, count in enumerate(tokens)]


def running(*tokens: int, age_s: float = 60.0) -> list[Sibling]:
    return [Sibling(f"r{n}", count, age_s, False) for n, count in enumerate(tokens)]


def flagged_run(batch: str | None = "b") -> Run:
    run = Run("a", RunSpec("p", "title", "project", batch=batch), 0.0, Status.RUNNING)
    used = Event("a", 1, 5.0, 1, UsageCounted(1_100_000, 0, 100_000))
    return fold(run, [used, Event("a", 2, 6.0, 1, NOTICE)])


def test_fewer_than_four_siblings_with_usage_are_not_compared() -> None:
    assert BatchUsage(ended(1, 2, 3)).median_for("a", 60) is None
    assert BatchUsage([*ended(1, 2, 3), *running(0)]).median_for("a", 60) is None
    assert BatchUsage([*ended(1, 2, 3), *running(9)]).median_for("a", 60) == 2


def test_a_run_is_no_sibling_of_its_own() -> None:
    own = Sibling("a", 10**9, 60.0, False)
    assert BatchUsage([*running(1, 2, 3), own]).median_for("a", 60) is None
    assert BatchUsage([*running(1, 2, 3, 4), own]).median_for("a", 60) == 2.5


def test_siblings_that_have_just_begun_do_not_draw_the_median_down() -> None:
    young = [replace(one, run=f"y{one.run}") for one in running(*[10] * 9, age_s=5)]
    assert BatchUsage([*running(90, 100, 110, 120), *young]).median_for("a", 60) == 105
    assert BatchUsage([*ended(90, 100, 110), *young]).median_for("a", 60) == 100
    assert BatchUsage(young).median_for("a", 60) is None


def test_eight_ended_runs_of_a_template_make_its_usual_amount() -> None:
    assert spend.template_median([10] * 7) is None
    assert spend.template_median([10] * 7 + [0]) is None
    assert spend.template_median([10] * 8) == 10


def test_the_factor_and_the_floor_both_count() -> None:
    assert spend.flag_of(FLOOR_TOKENS - 1, 1.0, None, 5) is None
    assert spend.flag_of(499_999, 100_000.0, None, 5) is None
    assert spend.flag_of(500_000, 100_000.0, None, 5) == SpendFlag(
        5.0, SpendBasis.BATCH, 500_000, 100_000
    )
    assert spend.flag_of(10**9, 1.0, None, None) is None


def test_the_template_counts_where_the_batch_spends_alike() -> None:
    flag = spend.flag_of(800_000, 700_000.0, 100_000.0, 5)
    assert flag == SpendFlag(8.0, SpendBasis.TEMPLATE, 800_000, 100_000)
    assert spend.flag_of(800_000, None, None, 5) is None


def test_a_flag_is_repeated_once_its_factor_has_doubled() -> None:
    assert spend.is_news(FLAG, None)
    assert not spend.is_news(replace(FLAG, factor=15.9), FLAG)
    assert spend.is_news(replace(FLAG, factor=16.0), FLAG)


COUNTS = st.integers(0, 10**15)
SIBLINGS = st.lists(
    st.builds(
        Sibling,
        st.sampled_from("abcdefgh"),
        COUNTS,
        st.floats(allow_nan=True) | st.floats(0, 9999),
        st.booleans(),
    ),
    max_size=12,
)


@given(SIBLINGS, COUNTS, st.floats(allow_nan=True), st.floats(1.5, 1000))
def test_no_usage_fails_and_more_tokens_never_lose_a_flag(
    siblings: list[Sibling], tokens: int, age_s: float, flag_at: float
) -> None:
    median = BatchUsage(siblings).median_for("a", age_s)
    assert median is None or median > 0
    flag = spend.flag_of(tokens, median, None, flag_at)
    if flag:
        assert tokens >= FLOOR_TOKENS
        assert spend.flag_words(flag)
        assert spend.flag_of(tokens + 1, median, None, flag_at)


def test_the_flag_stays_with_the_attempt_and_is_no_sign_of_life() -> None:
    run = flagged_run()
    assert run.spend_flag == FLAG
    assert run.last_sign_at == 5.0
    again = fold(run, [Event("a", 3, 9.0, 2, StatusChanged(Status.QUEUED))])
    assert again.spend_flag is None


def test_the_flag_is_stored_and_read_back() -> None:
    run = flagged_run()
    assert codec.run_from(codec.spec_text(run.spec), codec.state_text(run)).spend_flag == FLAG
    assert codec.event_from("a", 2, 6.0, 1, "notice", codec.body_text(NOTICE)).body == NOTICE


def test_a_flagged_run_is_marked_found_and_explained() -> None:
    run = flagged_run()
    told = "8× the median of its batch, 1,200,000 tokens instead of 150,000"
    assert formatting.spend_mark(run) == "8×"
    assert ("expensive", told) in formatting.facts(run, 10.0, "")
    assert compile_filter("is:expensive")(run)
    assert not compile_filter("is:expensive")(Run("b", run.spec, 0.0))
    expected = {"factor": 8.0, "basis": "batch", "tokens": 1_200_000, "median": 150_000}
    assert run_json(run, 10.0)["expensive"] == expected
    assert event_json(Event("a", 2, 6.0, 1, NOTICE))["spend"] == expected


@pytest.mark.parametrize("batch", [None, "b"])
def test_receivers_and_people_get_a_message_while_it_runs(batch: str | None) -> None:
    run = flagged_run(batch)
    topic = topic_of(NOTICE)
    assert topic is MessageTopic.RUN_EXPENSIVE
    message = of_run(topic, Event("a", 2, 6.0, 1, NOTICE), run)
    for is_for_people in (False, True):
        wish = Subscription("r", frozenset({topic}), is_for_people)
        assert is_wanted(message, wish)
    assert words(topic, message.data) == (
        "Expensive: title",
        "project · a\n8× the median of its batch, 1,200,000 tokens so far",
    )
