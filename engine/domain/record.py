"""Frozen data classes that are made in a quarter of the time a frozen `@dataclass` takes.

There are some eighty of them before the dashboard is to be seen, and `dataclass` would write and
compile six methods for each. Here only `__init__` is compiled, and only when the first record of a
class is made. That a record is frozen is left to the type checker: to have it checked at run time
makes every record three times as slow to make.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, cast, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(kind: type[T]) -> type[T]:
    """Make a class of data: with slots, equal and hashed by its values, never changed."""
    kind.__doc__ = kind.__doc__ or kind.__name__  # `dataclass` would derive one: that is slow
    made: Any = dataclass(slots=True, init=False, eq=False, repr=False)(kind)
    values = _values_of([one.name for one in fields(made)])

    def equals(self: object, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    def hashed(self: object) -> int:
        return hash(values(self))

    def first_init(self: object, *args: object, **kwargs: object) -> None:
        made.__init__ = _compiled_init(made)
        made.__init__(self, *args, **kwargs)

    made.__init__ = first_init
    made.__eq__, made.__hash__ = equals, hashed
    if kind.__repr__ is object.__repr__:
        made.__repr__ = _shown
    return made


@dataclass_transform(field_specifiers=(field,))
def mutable_record(kind: type[T]) -> type[T]:
    """Make a class of data as `record` does, whose values may change."""
    made: Any = record(kind)
    made.__hash__ = None
    return made


def _compiled_init(made: Any) -> Any:  # noqa: ANN401  whatever the fields are
    """Return the `__init__` that `dataclass` would write, in two thirds of the time."""
    names: dict[str, Any] = {"MISSING": MISSING}
    arguments, lines = ["self"], list[str]()
    for number, one in enumerate(fields(made)):
        default, value = "", one.name
        if one.default is not MISSING:
            default = f"=default_{number}"
            names[f"default_{number}"] = one.default
        elif one.default_factory is not MISSING:
            default, value = "=MISSING", f"make_{number}() if {value} is MISSING else {value}"
            names[f"make_{number}"] = one.default_factory
        arguments.append(one.name + default)
        lines.append(f"self.{one.name} = {value}")
    if hasattr(made, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(
        f"def __init__({', '.join(arguments)}): {'; '.join(lines) or 'pass'}", names
    )  # names of fields alone, as in `dataclasses`
    init = names["__init__"]
    init.__qualname__ = f"{made.__qualname__}.__init__"
    return init


def _values_of(names: list[str]) -> Callable[[object], object]:
    return attrgetter(*names) if names else lambda _: ()


def _shown(self: object) -> str:
    names = [one.name for one in fields(cast("Any", self))]
    parts = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
    return f"{type(self).__qualname__}({parts})"
