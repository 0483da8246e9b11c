"""The language of the filter: words, `!word`, `status:failed`, `project:"two words"`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from engine.domain import nearest, pull_request
from engine.domain.account import account_name
from engine.domain.attention import needs_you, to_review
from engine.domain.causes import UNSUCCESSFUL, cause
from engine.domain.hosts import host_of
from engine.domain.model import Agent, Run, Status
from engine.domain.text import printable_name

Test = Callable[[Run], bool]

STATES: dict[str, Test] = {
    "archived": lambda run: run.is_archived,
    "dismissed": lambda run: run.is_dismissed,
    "applied": lambda run: run.is_applied,
    "needs-you": needs_you,
    "review": to_review,
    "expensive": lambda run: run.spend_flag is not None,
}
"""The states that `is:` tests."""

FIELDS: dict[str, Callable[[Run], str]] = {
    "status": lambda run: run.status.value,
    "project": lambda run: run.spec.project,
    "template": lambda run: run.spec.template or "",
    "batch": lambda run: run.spec.batch or "",
    "agent": lambda run: run.spec.agent.value,
    "model": lambda run: run.spec.model or run.model,
    "account": account_name,
    "on": host_of,
    "parent": lambda run: " ".join(run.spec.ancestors),
    "cause": lambda run: cause(run) if run.status in UNSUCCESSFUL else "",
}
"""Names before a colon, and the text of a run that has to contain what follows."""

LISTS: dict[str, Callable[[Run], Iterable[str]]] = {
    "tag": lambda run: run.tags,
    "is": lambda run: (name for name, test in STATES.items() if test(run)),
    "pr": pull_request.words_of,
}
"""Names before a colon, and the words of a run of which one has to equal what follows."""

VALUES: dict[str, tuple[str, ...]] = {
    "is": tuple(STATES),
    "pr": pull_request.WORDS,
    "status": tuple(map(str, Status)),
    "agent": tuple(map(str, Agent)),
}
"""Fields that take only some values."""

SYNTAX = (
    ("word", "in title, prompt, project, id or status"),
    ("!word", "not there"),
    ("status:failed", "that status; a,b: either"),
    ("cause:quota", "failed for that cause"),
    ("batch:name", "of that batch"),
    ("project:x", 'that project; "a b": with a space'),
    ("tag:bug", "with that tag"),
    ("is:archived", "also is:dismissed, is:applied, is:expensive"),
    ("pr:failing", "pull request: open, merged, approved, …"),
    ("parent:id", "below that run, on all levels"),
    ("template:x", "also model:, agent:, account:, on:"),
)
"""The terms of a filter and their meanings, for the help."""
HINT = "word  !word  status:failed  cause:quota  batch:name  project:x  tag:x  is:archived"
"""The terms of a filter in one line, for below its field."""

_BEGUN = re.compile(rf"(?P<before>!*(?P<name>{'|'.join((*FIELDS, *LISTS))}):(?:[^\",]+,)*)[^\",]*")
"""A term whose last value is not complete."""
_TERM = re.compile(r'(!*)(?:([a-z]+):)?((?:"[^"]*"?|[^\s"])*)', re.IGNORECASE)


def compile_filter(text: str, *, with_archived: bool = False) -> Test:
    """Make the test of a filter: a run has to meet every term.

    `status:failed,cancelled` wants either; a field that is none is a word with a colon in it.
    Archived runs meet a filter only if it asks for them, by `is:archived`, or `with_archived`.
    """
    terms = [found.groups("") for found in _TERM.finditer(text.lower()) if found[0]]
    tests = [_test(*term) for term in terms]
    if not with_archived and not any(_asks_for_archived(*term) for term in terms):
        tests.append(lambda run: not run.is_archived)
    return _all(tests)


def _all(tests: Sequence[Test]) -> Test:
    """Return the test that passes where all do; the usual one or two take no loop for each run."""
    match tests:
        case [one]:
            return one
        case [one, other]:
            return lambda run: one(run) and other(run)
        case _:
            return lambda run: all(test(run) for test in tests)


def narrows(before: str, text: str) -> bool:
    """Return whether all runs that meet `text` meet `before`: a plain word was begun or goes on."""
    if not text.startswith(before) or '"' in text:
        return False
    last = before.rpartition(" ")[2] + text.removeprefix(before)
    return text != before and not set(last) & set("!:,")


def filter_problem(text: str) -> str:
    """Return a text about the first value that no run can have, or an empty one."""
    for found in _TERM.finditer(text.lower()):
        _, name, value = found.groups("")
        known = VALUES.get(name, ())
        is_whole = name in LISTS
        for part in filter(None, value.replace('"', "").split(",") if known else ()):
            if not (part in known if is_whole else any(part in one for one in known)):
                return _unknown_value(name, part, known)
    return ""


def _unknown_value(name: str, value: str, known: Sequence[str]) -> str:
    shown, meant = printable_name(value[:60]), nearest.hint(value, known)
    return f"unknown value {shown}; {name}: takes {', '.join(known)}.{meant}"


def completions(term: str, runs: Iterable[Run]) -> Iterator[str]:
    """Return the terms that begin as this one: with each value that its field has or may have.

    Without a known field, there are none.
    """
    found = _BEGUN.fullmatch(term)
    if not found:
        return
    before, name = found.group("before", "name")
    values = VALUES.get(name) or sorted({value for run in runs for value in _values(name, run)})
    for value in values:
        if not set(value) & set(' ",'):  # it would be another term, or another value
            yield f"{before}{value}"


def _values(name: str, run: Run) -> Iterable[str]:
    return LISTS[name](run) if name in LISTS else [FIELDS[name](run).lower()]


def _asks_for_archived(denied: str, name: str, value: str) -> bool:
    return name == "is" and not len(denied) % 2 and "archived" in value.split(",")


def _test(denied: str, name: str, value: str) -> Test:
    text = value.replace('"', "")
    is_field = name in FIELDS or name in LISTS
    if name and not is_field:
        text = f"{name}:{text}"
    if not text:  # still being typed
        return lambda _: True
    found = _field_test(name, text) if is_field else partial(_holds, text=text)
    return (lambda run: not found(run)) if len(denied) % 2 else found


def _field_test(name: str, text: str) -> Test:
    wanted = [part for part in text.split(",") if part]
    if name in LISTS:
        words = LISTS[name]
        return lambda run: not set(wanted).isdisjoint(words(run))
    field = FIELDS[name]
    return lambda run: any(part in field(run).lower() for part in wanted)


def _holds(run: Run, text: str) -> bool:
    """Return whether a word is in what is shown of a run, or in its prompt."""
    spec = run.spec
    shown = f"{run.id} {spec.title} {spec.project} {run.status} {spec.agent}".lower()
    return text in shown or text in spec.searched_prompt
