"""Formatting of the present cycles of rate-limit windows: a line for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.domain.model import LimitWindow
from engine.domain.usage import DEFAULT_ACCOUNT, LimitCycle
from tui.formatting.limits import WARN_PERCENT, clock_time, full_words, window_name, window_words
from tui.formatting.money import cost_cell
from tui.formatting.numbers import ago, bar_parts, tokens
from tui.formatting.symbols import sign
from tui.formatting.usage import cost_of, nothing
from tui.terminal.cells import cells, clean, fit

Part = tuple[str, str]
Line = list[Part]
Reserve = Callable[[LimitCycle], float]
BAR_SHARE = 5
"""The bar has a part of so many of the line."""
NARROWEST, WIDEST = 10, 40
STALE_S = 3600.0
"""Age from which on the age of a percentage is shown."""
LONGEST_ACCOUNT = 16


def window_of(cycle: LimitCycle) -> LimitWindow:
    """Return the window of a cycle."""
    return LimitWindow(cycle.name, cycle.used_percent, cycle.window_minutes, cycle.resets_at)


def cycle_lines(
    cycles: Sequence[LimitCycle],
    now: float,
    width: int,
    reserve: Reserve = lambda _: 0.0,
) -> list[Line]:
    """Return the lines of all cycles; a forecast that does not fit gets a separate line.

    `reserve` returns how many percent of a window the queue leaves unused.
    """
    is_named = any(cycle.account != DEFAULT_ACCOUNT for cycle in cycles)
    names = [
        f"{_account(cycle)} {_window(cycle)}" if is_named else _window(cycle) for cycle in cycles
    ]
    name_width = max(map(cells, names), default=0)
    lines: list[Line] = []
    for name, cycle in zip(names, cycles, strict=True):
        line = _line(fit(name, name_width), cycle, now, width, reserve(cycle))
        forecast = forecast_words(cycle, now)
        lines.append(line)
        if forecast and line_width(line) + 3 + cells(forecast) <= width:
            line += [("   ", "dim"), (forecast, "warn")]
        elif forecast:
            lines.append([(" " * (name_width + 2), "dim"), (forecast, "warn")])
    return lines


def forecast_words(cycle: LimitCycle, now: float) -> str:
    """Write when a window is full at its pace, without its name; empty: not before its reset."""
    window = window_of(cycle)
    words = full_words(window, cycle.full_at, now)
    return words.removeprefix("at this pace ").removeprefix(f"the {window_words(window)} is ")


def forecast_lines(cycles: Sequence[LimitCycle], now: float) -> list[str]:
    """Return a sentence for each window that is full before it resets; others are left out."""
    found = ((cycle, full_words(window_of(cycle), cycle.full_at, now)) for cycle in cycles)
    return [
        words if cycle.account == DEFAULT_ACCOUNT else f"{_account(cycle)}: {words}"
        for cycle, words in found
        if words
    ]


def line_width(line: Line) -> int:
    """Return the cells of a line."""
    return sum(cells(text) for text, _ in line)


def _account(cycle: LimitCycle) -> str:
    return clean(cycle.account, LONGEST_ACCOUNT)


def _window(cycle: LimitCycle) -> str:
    return window_name(window_of(cycle))


def _line(name: str, cycle: LimitCycle, now: float, width: int, kept: float) -> Line:
    bar = min(WIDEST, max(NARROWEST, width // BAR_SHARE))
    has_reset = cycle.resets_at is not None and cycle.resets_at <= now
    head: Line = [(f" {name} ", "plain")]
    if has_reset:
        head += [(bar_parts(0, bar)[2], "faint"), (f" {nothing():>4} ", "dim")]
        at = clock_time(cycle.resets_at or now, now)
        return _fitting(head, [(f" reset {at}, no report since", "dim")], width)
    is_high = cycle.used_percent >= WARN_PERCENT or cycle.used_percent >= 100 - kept
    tone = "warn" if is_high else "live"
    head += [*_bar(cycle.used_percent, bar, tone, kept), (f" {cycle.used_percent:>3.0f}% ", tone)]
    return _fitting(head, _facts(cycle, now), width)


def _bar(percent: float, width: int, tone: str, kept: float) -> list[Part]:
    """Return a bar as parts, with a mark where the reserve begins."""
    before, full, empty = bar_parts(percent, width)
    text = before + full + empty
    filled = len(before + full)
    if not 0 < kept < 100:
        return [(full, tone), (empty, "faint")]
    place = min(width - 1, round((100 - kept) * width / 100))
    mark = sign("┃", "|")
    parts = [
        (text[: min(filled, place)], tone),
        (text[min(filled, place) : place], "faint"),
        (mark, "warn"),
        (text[place + 1 : max(filled, place + 1)], tone),
        (text[max(filled, place + 1) :], "faint"),
    ]
    return [part for part in parts if part[0]]


def _facts(cycle: LimitCycle, now: float) -> list[Part]:
    used = cycle.usage.input + cycle.usage.output
    each = cycle.tokens_per_percent
    facts: list[Part] = []
    if cycle.resets_at is not None:
        facts.append((f" {sign('↻', 'until')} {clock_time(cycle.resets_at, now)}", "plain"))
    if now - cycle.seen_at >= STALE_S:
        facts.append((f" seen {ago(cycle.seen_at, now)}", "dim"))
    count = nothing() if cycle.starts_at is None else tokens(used)
    facts.append((f" {count} tokens", "plain"))
    if cycle.cost_usd is not None:
        facts.append((f" {cost_of(cycle)}", "plain"))
    if each is not None:
        facts.append((f" {tokens(round(each))} per %", "dim"))
        if cycle.cost_usd is not None:
            facts.append((f" {cost_cell(cycle.cost_per_percent)} per %", "dim"))
    return facts


def _fitting(head: Line, facts: Sequence[Part], width: int) -> Line:
    """Return the line with the facts that have room, in their order."""
    for text, tone in facts:
        if line_width(head) + cells(text) + 1 > width:
            break
        head.append((f"{text} ", tone))
    return head
