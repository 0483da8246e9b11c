"""Which live runs meet in the same files."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.workspace.conflicts import Conflict, conflicts


def test_pairs_of_one_source_with_shared_paths() -> None:
    runs = {
        "r3": ("/s", {"a", "b"}),
        "r1": ("/s", {"b", "a", "c"}),
        "r2": ("/s", {"c"}),
        "r4": ("/other", {"a"}),
        "r5": (None, {"a"}),
        "r6": (None, {"a"}),
        "r7": ("/s", set[str]()),
    }
    assert conflicts(runs) == [Conflict("r1", "r2", ("c",)), Conflict("r1", "r3", ("a", "b"))]
    assert conflicts({}) == []


@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=2),
        st.tuples(st.sampled_from([None, "/s", "/t"]), st.sets(st.sampled_from("xyz"))),
    )
)
def test_every_pair_is_found_once(runs: dict[str, tuple[str | None, set[str]]]) -> None:
    wanted = [
        Conflict(one, two, tuple(sorted(runs[one][1] & runs[two][1])))
        for one in sorted(runs)
        for two in sorted(runs)
        if one < two and runs[one][0] == runs[two][0] is not None and runs[one][1] & runs[two][1]
    ]
    assert conflicts(runs) == wanted
