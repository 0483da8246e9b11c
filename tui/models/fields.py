"""The lines of the forms, made from the table of a run's options, and how a text in one is read."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from engine.config.run_options import RUN_OPTIONS
from engine.domain.budget import read_budget
from engine.domain.interaction import RunMode
from engine.domain.run_option import PATHS, Kind, RunOption
from engine.domain.text import one_line
from engine.system.environment import problem_of
from tui.models import parsing
from tui.models.named_paths import absolute

if TYPE_CHECKING:
    from engine.config.settings import Config
    from engine.templates.template import TemplateFile

TITLE_LIMIT = 120
YES, NO = "yes", "no"
FIRST = (
    "interactive",
    "approvals",
    "title",
    "project",
    "verify",
    "retries",
    "timeout",
    "budget",
    "model",
    "base",
    "fetch",
)
"""The fields that stand first, in this order: they are set most often."""


def _in_order(option: RunOption) -> int:
    return FIRST.index(option.name) if option.name in FIRST else len(FIRST)


FIELDS: tuple[RunOption, ...] = tuple(
    sorted((option for option in RUN_OPTIONS if option.label), key=_in_order)
)
LOOKED_UP = (Kind.REF, Kind.SUBFOLDER, Kind.YES_NO, Kind.CHOICE, *PATHS)
"""Kinds of values that only the disk can check, also whether the home is safe from the agent."""


def segments(option: RunOption) -> tuple[str, ...]:
    """Return the words of a field that offers a few; empty where a text is typed."""
    if option.kind in (Kind.FLAG, Kind.YES_NO):
        return NO, YES
    return tuple(map(str, option.choices or ()))


def usual_words(config: Config, template: TemplateFile | None = None) -> dict[str, str]:
    """Return the words of such fields that hold where none is chosen, by the fields' names."""
    codex = config.codex
    is_interactive = codex.mode is RunMode.INTERACTIVE
    found = {"interactive": YES if is_interactive else NO, "approvals": codex.approvals.value}
    if template and (approvals := template.option("approvals")) is not None:
        found |= {"interactive": YES, "approvals": str(approvals)}
    if template and (interactive := template.option("interactive")) is not None:
        found["interactive"] = YES if interactive else NO
    return found


def read(field: RunOption, text: str, now: float) -> object:
    """Return the value that a text stands for; raises ValueError with the expected form."""
    if field.choices:
        return field.choices(text)
    return _READ.get(field.kind, _plain)(text, now)


def words(field: RunOption, text: str) -> list[str]:
    """Return the words of the command line that set a field to a text."""
    if field.kind is Kind.FLAG:
        return [field.flag]
    if field.kind is Kind.YES_NO:
        return [field.flag if text == YES else f"--no-{field.name}"]
    try:
        values = split(text) if field.is_repeated else [text]
    except ValueError:  # what is wrong with it is shown elsewhere
        values = [text]
    if field.kind in PATHS:
        values = [absolute(value) for value in values]
    return [word for value in values for word in (field.flag, value)]


def split(text: str) -> Sequence[str]:
    """Return the words of a text, with quotes and backslashes as in a shell; raises ValueError."""
    try:
        return shlex.split(text)
    except ValueError:
        raise ValueError("missing closing quote") from None


def _plain(text: str, _: float) -> object:
    return text


def _title(text: str, _: float) -> object:
    if len(text) > TITLE_LIMIT:
        raise ValueError(f"it is {len(text) - TITLE_LIMIT} characters too long")
    return one_line(text, TITLE_LIMIT)


def _variables(text: str, _: float) -> object:
    found: dict[str, str] = {}
    for word in split(text):
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError("expected KEY=VALUE, separated by spaces")
        if problem := problem_of(name, value):
            raise ValueError(problem)
        found[name] = value
    return found


def _paths(text: str, _: float) -> object:
    return tuple(map(absolute, split(text)))


_READ: Mapping[Kind, Callable[[str, float], object]] = {
    Kind.TITLE: _title,
    Kind.FLAG: lambda text, _: text == YES,
    Kind.YES_NO: lambda text, _: text == YES,
    Kind.COUNT: lambda text, _: parsing.retries(text),
    Kind.DURATION: lambda text, _: parsing.duration(text),
    Kind.BUDGET: lambda text, _: read_budget(text),
    Kind.TIME: parsing.moment,
    Kind.VARIABLES: _variables,
    Kind.FILE: lambda text, _: absolute(text),
    Kind.FILES: _paths,
    Kind.FOLDERS: _paths,
}
