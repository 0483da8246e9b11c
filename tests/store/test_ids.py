"""Run ids: short, lower-case, and in the order of their making whatever the clock says."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from support import spec

from engine.config.paths import safe_name
from engine.store.ids import ALPHABET, new_id
from engine.store.store import Store

times = st.floats(1_735_689_600, 2_800_000_000)


@given(times, times)
def test_ids_sort_by_time(early: float, late: float) -> None:
    if late - early > 0.001:
        assert new_id(early, None) < new_id(late, None)


@given(st.lists(st.floats(0, 2_800_000_000), min_size=1, max_size=30))
def test_ids_sort_by_making_also_when_the_clock_goes_back(clock: list[float]) -> None:
    ids: list[str] = []
    for now in clock:
        ids.append(new_id(now, ids[-1] if ids else None))
    assert ids == sorted(set(ids))


@given(times)
def test_an_id_is_easy_to_type_and_a_file_name(now: float) -> None:
    made = new_id(now, None)
    assert re.fullmatch(f"[{ALPHABET}]{{10}}", made)
    assert safe_name(made) == made


async def test_a_store_gives_rising_ids_also_when_the_clock_goes_back(
    store: Store, other: Store
) -> None:
    made: list[str] = []
    for number in range(6):
        where = (store, other)[number % 2]
        where._clock = lambda now=2_000_000_000 - 1000 * number: now
        made += (await where.create(spec(), [])).runs
    assert made == sorted(set(made))
    assert [run.id for run in await store.runs()] == made[::-1]
