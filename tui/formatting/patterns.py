"""A pattern in lines: its goal, its steps as a flow, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.domain.pattern import PatternStep, StoredPattern, SuccessRate
from tui.formatting.symbols import sign

Line = tuple[str, str]
"""A text and its tone."""

TONES = {"look": "dim", "run": "plain", "edit": "busy", "check": "good"}
RUNS = 8
"""Runs that are named."""


def rate(rate: SuccessRate) -> str:
    """Write how many of those that ended succeeded; nothing where none has."""
    return f"{100 * rate.succeeded / rate.ended:.0f}%" if rate.ended else ""


def pattern_lines(known: StoredPattern) -> list[Line]:
    """Return all facts about a pattern."""
    pattern = known.pattern
    lines: list[Line] = [("Goal", "dim"), (f"  {pattern.goal}", "live"), ("", "plain")]
    lines += [("Steps", "dim"), *_flow(pattern.steps), ("", "plain")]
    lines += [*_came_of(known), ("", "plain")]
    if pattern.variables:
        lines.append(("Variables", "dim"))
        for kind in dict.fromkeys(each.kind for each in pattern.variables):
            values = [each.value for each in pattern.variables if each.kind == kind]
            lines.append((f"  {kind:<6} {sign(' · ', ', ').join(values)}", "plain"))
        lines.append(("", "plain"))
    if pattern.outcome:
        lines += [("Outcome", "dim"), (f"  {pattern.outcome}", "plain"), ("", "plain")]
    how = "yours: later runs do not change it" if known.is_edited else ""
    template = f"template {pattern.template}" if pattern.template else ""
    told = sign(" · ", ", ").join(part for part in (known.id, template, how) if part)
    return [*lines, (told, "dim")]


def _flow(steps: Sequence[PatternStep]) -> Iterator[Line]:
    last = len(steps) - 1
    for place, step in enumerate(steps):
        if last == 0:
            mark = sign("─", "-")
        else:
            mark = sign("┌" if place == 0 else "└" if place == last else "├", "|")
        kind = f"{step.kind} {sign('✓', '+')}" if step.kind == "check" else step.kind
        yield (f"  {mark} {kind:<8} {step.text}", TONES.get(step.kind, "plain"))


def _came_of(known: StoredPattern) -> Iterator[Line]:
    yield ("Runs", "dim")
    yield (f"  came from {_named(known.runs)}", "plain")
    yield (f"  used by   {_named(known.used_by)}", "plain")
    yield (f"  with it   {_rated(known.with_it)}", "plain")
    yield (f"  without   {_rated(known.without)}", "plain")


def _named(runs: Sequence[str]) -> str:
    more = f" and {len(runs) - RUNS} more" if len(runs) > RUNS else ""
    return f"{', '.join(runs[:RUNS])}{more}" if runs else "none yet"


def _rated(counted: SuccessRate) -> str:
    if not counted.ended:
        return "none has ended yet"
    return f"{counted.succeeded} of {counted.ended} succeeded ({rate(counted)})"
