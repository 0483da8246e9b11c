"""The shortest ends of ids that name a run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.run_names import SHORTEST, shortest_ends
from engine.store.ids import new_id

ids = st.lists(st.text("01ab", min_size=10, max_size=10), min_size=1, max_size=30, unique=True)


@given(ids)
def test_an_end_names_one_run_and_no_shorter_one_does(known: list[str]) -> None:
    for id, end in shortest_ends(known, known).items():
        assert id.endswith(end)
        assert _matches(end, known) == [id]
        if len(end) > SHORTEST:
            assert len(_matches(end[1:], known)) > 1


def _matches(name: str, known: list[str]) -> list[str]:
    return [id for id in known if id.endswith(name) or id.startswith(name)]


def test_four_characters_are_enough_for_a_thousand_runs_in_a_row() -> None:
    made: list[str] = []
    for _ in range(1000):
        made.append(new_id(1_796_000_000.0, made[-1] if made else None))
    lengths = [len(end) for end in shortest_ends(made, made).values()]
    assert max(lengths) <= 5
    assert sum(length <= 4 for length in lengths) > 980


def test_ends_of_some_runs_are_unique_among_all() -> None:
    known = ["1aaaaaabcd", "1aaaaaxbcd", "1aaaaaafgh"]
    assert shortest_ends(["1aaaaaabcd", "1aaaaaafgh"], known) == {
        "1aaaaaabcd": "abcd",
        "1aaaaaafgh": "fgh",
    }
    assert shortest_ends(["1aaaaaabcd"], ["1aaaaaabcd"]) == {"1aaaaaabcd": "bcd"}
