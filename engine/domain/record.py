"""Frozen data classes that are made in a fraction of the time a frozen `@dataclass` takes.

There are some hundred of them before the dashboard is to be seen, and `dataclass` would look at
each field three times and compile six methods for each class. Here a class gets its slots;
`__init__` is compiled when the first record of the class is made, and `dataclass` looks at the
fields when they are asked for: few classes are encoded or decoded. That a record is frozen is
left to the type checker: to have it checked at run time makes every record three times as slow to
make.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from operator import attrgetter
from threading import RLock
from typing import Any, TypeVar, cast, dataclass_transform

T = TypeVar("T")
_FIELDS, _PARAMS, _DEFAULTS = "__dataclass_fields__", "__dataclass_params__", "__record_defaults__"
_looking = RLock()


class _Late:
    """An attribute of data classes, made by `dataclass` when it is first asked for."""

    def __init__(self, kind: Any, name: str) -> None:  # noqa: ANN401  a class
        self._kind, self._name = kind, name

    def __get__(self, record: object, owner: type) -> Any:  # noqa: ANN401  whatever it is there
        with _looking:
            made = next(one for one in owner.__mro__ if self._name in one.__dict__)
            if made.__dict__[self._name] is self:  # else another thread was quicker
                plain: Any = dataclass(init=False, eq=False, repr=False)(self._kind)
                for name in (_FIELDS, _PARAMS):
                    setattr(made, name, plain.__dict__[name])
        return made.__dict__[self._name]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(kind: type[T]) -> type[T]:
    """Make a class of data: with slots, equal and hashed by its values, never changed."""
    kind.__doc__ = kind.__doc__ or kind.__name__  # `dataclass` would derive one: that is slow
    defaults = _defaults_of(kind)
    values = _values_of(list(defaults))

    def equals(self: object, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    def hashed(self: object) -> int:
        return hash(values(self))

    def first_init(self: object, *args: object, **kwargs: object) -> None:
        made.__init__ = _compiled_init(made, defaults)
        made.__init__(self, *args, **kwargs)

    # With the class, not onto it: Python looks for all that a special method changes.
    methods: dict[str, object] = {"__init__": first_init, "__eq__": equals, "__hash__": hashed}
    if kind.__repr__ is object.__repr__:
        methods["__repr__"] = _shown
    made = _with_slots(kind, defaults, methods)
    return made


@dataclass_transform(field_specifiers=(field,))
def mutable_record(kind: type[T]) -> type[T]:
    """Make a class of data as `record` does, whose values may change."""
    made: Any = record(kind)
    made.__hash__ = None
    return made


def _defaults_of(kind: type) -> dict[str, Any]:
    """Return the names of the fields in their order, with the defaults as they are written."""
    found: dict[str, Any] = {}
    for base in kind.__mro__[-2:0:-1]:
        if _FIELDS in base.__dict__:
            inherited: Any = base
            found |= getattr(base, _DEFAULTS, None) or {one.name: one for one in fields(inherited)}
    attributes = kind.__dict__
    annotations: Mapping[str, str] = attributes.get("__annotations__", {})
    for name, annotation in annotations.items():
        if not annotation.startswith("ClassVar"):
            found[name] = default = attributes.get(name, MISSING)
            if default.__class__.__hash__ is None:
                raise ValueError(f"{kind.__name__}.{name} needs a default_factory")
    return found


def _with_slots(kind: type, defaults: Mapping[str, Any], methods: Mapping[str, object]) -> Any:  # noqa: ANN401  a class like `kind`
    """Return a class like `kind` with a slot for each of its own fields."""
    taken = {name for base in kind.__mro__[1:-1] for name in base.__dict__.get("__slots__", ())}
    left_out = {*defaults, "__dict__", "__weakref__"}
    kept = {name: value for name, value in kind.__dict__.items() if name not in left_out}
    kept["__slots__"] = tuple(name for name in defaults if name not in taken)
    kept.setdefault("__match_args__", tuple(defaults))
    kept |= {_FIELDS: _Late(kind, _FIELDS), _PARAMS: _Late(kind, _PARAMS), _DEFAULTS: defaults}
    kept |= methods
    made = type(kind)(kind.__name__, kind.__bases__, kept)
    made.__qualname__ = kind.__qualname__
    return made


def _compiled_init(made: Any, defaults: Mapping[str, Any]) -> Any:  # noqa: ANN401  of any fields
    """Return the `__init__` that `dataclass` would write, in two thirds of the time."""
    names: dict[str, Any] = {"MISSING": MISSING}
    arguments, lines = ["self"], list[str]()
    for number, (name, written) in enumerate(defaults.items()):
        one = cast("Field[Any]", written) if isinstance(written, Field) else field(default=written)
        default, value = "", name
        if one.default is not MISSING:
            default = f"=default_{number}"
            names[f"default_{number}"] = one.default
        elif one.default_factory is not MISSING:
            default, value = "=MISSING", f"make_{number}() if {value} is MISSING else {value}"
            names[f"make_{number}"] = one.default_factory
        arguments.append(name + default)
        lines.append(f"self.{name} = {value}")
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
