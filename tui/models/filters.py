"""The language of the filter: words, `!word`, `status:failed`, `project:"two words"`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from engine.domain.causes import UNSUCCESSFUL, cause
from engine.domain.model import Run

Test = Callable[[Run], bool]

FIELDS: dict[str, Callable[[Run], str]] = {
    "status": lambda run: run.status.value,
    "project": lambda run: run.spec.project,
    "template": lambda run: run.spec.template or "",
    "batch": lambda run: run.spec.batch or "",
    "agent": lambda run: run.spec.agent.value,
    "model": lambda run: run.spec.model or "",
    "cause": lambda run: cause(run) if run.status in UNSUCCESSFUL else "",
}
"""What may stand before a colon, and what is looked at then."""

SYNTAX = (
    ("word", "in title, prompt, project, id or status"),
    ("!word", "not there"),
    ("status:failed", "that status; a,b: either"),
    ("cause:quota", "failed for that cause"),
    ("batch:name", "of that batch"),
    ("project:x", 'that project; "a b": with a space'),
    ("template:x", "also model:, agent:"),
)
"""The terms of a filter and their meanings, for the help."""
HINT = "word  !word  status:failed  cause:quota  batch:name  project:x  template:x"
"""The terms of a filter in one line, for below its field."""

_TERM = re.compile(r'(!*)(?:([a-z]+):)?((?:"[^"]*"?|[^\s"])*)', re.IGNORECASE)


def compile_filter(text: str) -> Test:
    """Make the test of a filter: a run has to meet every term.

    `status:failed,cancelled` wants either; a field that is none is a word with a colon in it.
    """
    tests = [_test(*found.groups("")) for found in _TERM.finditer(text.lower()) if found[0]]
    return lambda run: all(test(run) for test in tests)


def _test(denied: str, name: str, value: str) -> Test:
    field = FIELDS.get(name)
    text = value.replace('"', "")
    if name and field is None:
        text = f"{name}:{text}"
    if not text:  # still being typed
        return lambda _: True
    if field is None:
        found: Test = lambda run: _holds(run, text)  # noqa: E731  typed as a function
    else:
        wanted = [part for part in text.split(",") if part]
        found = lambda run: any(part in field(run).lower() for part in wanted)  # noqa: E731  typed as a function
    return (lambda run: not found(run)) if len(denied) % 2 else found


def _holds(run: Run, text: str) -> bool:
    """Return whether a word is in what is shown of a run, or in its prompt."""
    spec = run.spec
    shown = f"{run.id} {spec.title} {spec.project} {run.status} {spec.agent}".lower()
    return text in shown or text in _lowered(spec.prompt)


@lru_cache(maxsize=4096)
def _lowered(prompt: str) -> str:
    return prompt.lower()
