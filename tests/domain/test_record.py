"""Records: classes of data whose `__init__` is written at first use."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, fields

import pytest

from engine.domain.model import Run, RunSpec
from engine.domain.record import record


def kind() -> type:
    @dataclass(slots=True)
    class Sample:
        number: int
        text: str = "a"
        made: list[int] = field(default_factory=list[int])

        def __post_init__(self) -> None:
            object.__setattr__(self, "number", self.number + 1)

    return Sample


def recorded() -> type:
    @record
    class Sample:
        number: int
        text: str = "a"
        made: list[int] = field(default_factory=list[int])

        def __post_init__(self) -> None:
            object.__setattr__(self, "number", self.number + 1)

    return Sample


@pytest.mark.parametrize("values", [(1,), (1, "b"), (1, "b", [2])])
def test_a_record_is_made_as_a_data_class_is(values: tuple[object, ...]) -> None:
    plain, ours = kind()(*values), recorded()(*values)
    for one in fields(plain):
        assert getattr(ours, one.name) == getattr(plain, one.name)


def test_default_values_are_made_for_each_record() -> None:
    ours = recorded()
    first, second = ours(number=1), ours(1)
    assert first.made is not second.made
    assert first == second


@pytest.mark.parametrize("wrong", [{}, {"number": 1, "more": 2}])
def test_wrong_arguments_are_an_error(wrong: dict[str, int]) -> None:
    with pytest.raises(TypeError, match="__init__"):
        recorded()(**wrong)


@pytest.mark.parametrize("made", [Run, RunSpec])
def test_the_arguments_are_the_fields_in_their_order(made: type) -> None:
    made(*["" for one in fields(made)])
    names = list(inspect.signature(made).parameters)
    assert names == [one.name for one in fields(made)]
