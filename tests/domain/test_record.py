"""Records: classes of data whose `__init__` is written at first use."""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import ClassVar

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


def test_a_record_is_a_data_class_to_those_who_ask() -> None:
    plain, ours = kind(), recorded()
    assert is_dataclass(ours)
    for one, other in zip(fields(plain), fields(ours), strict=True):
        assert (one.name, one.type, one.default) == (other.name, other.type, other.default)
        assert one.default_factory == other.default_factory
    assert asdict(replace(ours(1), text="c")) == asdict(replace(plain(1), text="c"))


def test_a_record_has_the_fields_of_the_record_below_it() -> None:
    @record
    class Below:
        one: int
        two: str = "a"
        shared: ClassVar[str] = "not a field"

    @record
    class Above(Below):
        two: str = "b"
        three: tuple[int, ...] = ()

    assert [one.name for one in fields(Above)] == ["one", "two", "three"]
    assert Above(1) == Above(one=1, two="b", three=())
    assert Above(1) != Below(1)
    assert Above.__slots__ == ("three",)
    assert Above.shared == "not a field"


def test_the_fields_are_those_of_the_first_thread_that_asks() -> None:
    for _ in range(20):
        ours = recorded()
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _, ours=ours: fields(ours)[2].default_factory, range(4)))
        assert set(found) == {list[int]}


def test_a_default_that_records_would_share_is_an_error() -> None:
    with pytest.raises(ValueError, match="default_factory"):

        @record
        class _Shared:
            made: list[int] = []  # noqa: RUF012  the mistake
