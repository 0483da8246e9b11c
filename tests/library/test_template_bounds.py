"""Templates from anybody that are made to take memory or time."""

from __future__ import annotations

import pytest

from engine.library.rendering import LIMIT_CHARACTERS, Wrong, render


@pytest.mark.parametrize(
    "text",
    [
        "{{ a }}" * 40_000,
        "{{ " + "a ~ " * 60_000 + "a }}",
        "{{ " + "(" * 100_000 + "a",
        "{% if a %}" * 25_000 + "{% endif %}" * 25_000,
        "{{ a" + "|upper" * 40_000 + " }}",
        "{{ " + "not " * 3000 + "a }}",
        "{{ " + "[" * 1500 + "]" * 1500 + " }}",
    ],
    ids=len,
)
def test_a_template_that_takes_too_much_to_compile_is_refused(text: str) -> None:
    with pytest.raises(Wrong, match=r"words and signs|nested too deeply"):
        render(text, {"a": "1"})


@pytest.mark.parametrize("text", ["{{ a }}" * 900, "{{ " + "a ~ " * 900 + "a }}"], ids=len)
def test_values_that_fill_the_memory_are_refused_before_they_are_filled_in(text: str) -> None:
    assert render(text, {"a": "1"}).startswith("1" * 900)
    with pytest.raises(Wrong, match="characters long"):
        render(text, {"a": "x" * LIMIT_CHARACTERS})
