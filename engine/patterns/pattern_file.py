"""A pattern as a YAML file: written to be read and edited, and checked when it comes back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from engine.config import yaml_file
from engine.domain import pattern as patterns
from engine.domain.errors import UserError, user_error
from engine.domain.pattern import Pattern, PatternStep, PatternVariable
from engine.domain.text import printable
from engine.system.files import read_named
from engine.system.output_file import write_output

INVALID = "PATTERN_INVALID"
MAX_BYTES = 64 * 1024
NOTE = """# What worked in earlier runs. Save and close the editor to keep what you change; runs
# that learn from it get goal, steps and outcome. Kinds of steps: look, run, edit, check;
# of variables: path, name, range, number.
"""
Text = Annotated[str, Meta(min_length=1, max_length=patterns.MAX_TEXT)]


class PatternFileStep(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that worked."""

    kind: Literal["look", "run", "edit", "check"]
    text: Text


class PatternFileVariable(Struct, frozen=True, forbid_unknown_fields=True):
    """A variable part of the task."""

    kind: Literal["path", "name", "range", "number"]
    value: Text


class PatternFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of the file."""

    goal: Annotated[str, Meta(min_length=1, max_length=patterns.MAX_GOAL)] = ""
    steps: Annotated[tuple[PatternFileStep, ...], Meta(max_length=patterns.MAX_STEPS)] = ()
    variables: Annotated[
        tuple[PatternFileVariable, ...], Meta(max_length=patterns.MAX_VARIABLES)
    ] = ()
    outcome: Annotated[str, Meta(max_length=patterns.MAX_OUTCOME)] = ""
    template: Annotated[str, Meta(max_length=64)] | None = None
    id: Annotated[str, Meta(pattern="^p[0-9a-f]{9}$")] | None = None


def write(id: str, pattern: Pattern, *, note: bool = False) -> str:
    """Write a pattern; every text is quoted as JSON does it, which is YAML too."""
    lines = [f"id: {id}", f"goal: {_quoted(pattern.goal)}"]
    if pattern.template:
        lines.append(f"template: {_quoted(pattern.template)}")
    lines.append("steps:")
    lines += [f"  - {{kind: {each.kind}, text: {_quoted(each.text)}}}" for each in pattern.steps]
    lines.append("variables:" if pattern.variables else "variables: []")
    for each in pattern.variables:
        lines.append(f"  - {{kind: {each.kind}, value: {_quoted(each.value)}}}")
    lines.append(f"outcome: {_quoted(pattern.outcome)}")
    return (NOTE if note else "") + "\n".join(lines) + "\n"


def read(text: str, name: str) -> tuple[str | None, Pattern]:
    """Read a pattern and its id, where the file has one; `name` stands in errors for the file.

    Raises `UserError` PATTERN_INVALID, naming the line: the pattern becomes part of a prompt.
    """
    keys = yaml_file.parse(text, name, PatternFile, INVALID)
    if not keys.goal.strip():
        raise _wrong(text, name, "it has no `goal`", "goal")
    if not keys.steps:
        raise _wrong(text, name, "it has no `steps`", "steps")
    _check(text, name, keys.goal, "goal")
    _check(text, name, keys.outcome, "outcome")
    _check(text, name, keys.template or "", "template")
    for place, step in enumerate(keys.steps):
        _check(text, name, step.text, "steps", str(place))
    for place, variable in enumerate(keys.variables):
        _check(text, name, variable.value, "variables", str(place))
    steps = tuple(PatternStep(each.kind, each.text) for each in keys.steps)
    variables = tuple(PatternVariable(each.kind, each.value) for each in keys.variables)
    return keys.id, Pattern(keys.goal, steps, variables, keys.outcome, keys.template)


def load(path: Path) -> str:
    """Read a file's text; raises `UserError`."""
    try:
        data = read_named(path, MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise user_error(INVALID, f"{path} is larger than {MAX_BYTES // 1024} KiB.")
        return data.decode()
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}."
        raise user_error("INPUT_INVALID", message, "Check the path.") from error
    except UnicodeDecodeError as error:
        raise user_error(INVALID, f"{path} is not UTF-8 text.") from error


def put(path: Path, text: str, *, over: bool = False) -> None:
    """Write a file for its owner only; what is there stays unless `over`. Raises `UserError`.

    `over` is for a file that the user names: no link is followed there.
    """
    if over:
        write_output(path, text.encode(), mode=0o600)
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return  # left from an edit that was wrong: what was typed is not lost
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}."
        raise user_error("INPUT_INVALID", message, "Check its folder.") from error


def _check(text: str, name: str, said: str, *keys: str) -> None:
    if said and (printable(said) != said or len(said.splitlines()) > 1):
        problem = f"`{'.'.join(keys)}` holds more than one line, or what would act on a terminal"
        raise _wrong(text, name, problem, *keys)


def _wrong(text: str, name: str, problem: str, *keys: str) -> UserError:
    return user_error(INVALID, f"{name}:{yaml_file.line_of(text, *keys)}: {problem}.")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
