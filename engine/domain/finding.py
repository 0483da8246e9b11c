"""The result of one check of an installation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckHealth(StrEnum):
    """The result of a check in one word."""

    OK = "ok"
    WARNING = "warning"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its result, and what to do where that is not well."""

    name: str
    health: CheckHealth
    message: str
    recovery: str = ""
