"""Enums whose values a newer version may extend: an unknown one is kept as it is."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import Self

_unknown_allowed: ContextVar[bool] = ContextVar("unknown_allowed", default=False)


@contextmanager
def unknown_allowed() -> Generator[None]:
    """Allow unknown values in stored data; user input is still checked."""
    token = _unknown_allowed.set(True)
    try:
        yield
    finally:
        _unknown_allowed.reset(token)


class OpenEnum(StrEnum):
    """A `StrEnum` that can also hold a value which this version does not know."""

    @classmethod
    def read(cls, value: str) -> Self:
        """Return the member for a stored value, or one of its own for an unknown value."""
        known = cls._value2member_map_.get(value)
        if isinstance(known, cls):
            return known
        unknown = str.__new__(cls, value)
        unknown._name_ = unknown._value_ = value
        return unknown

    @property
    def is_known(self) -> bool:
        """Return whether this version knows the value."""
        return self.value in self.__class__._value2member_map_

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        allowed = isinstance(value, str) and _unknown_allowed.get()
        return cls.read(value) if allowed and isinstance(value, str) else None

    def __copy__(self) -> Self:
        """Return itself: it never changes."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        """Return itself: it never changes."""
        return self
