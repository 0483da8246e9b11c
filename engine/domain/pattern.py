"""Patterns: the working steps of a successful run, extracted from its events.

Extraction returns the same bounded, printable pattern for the same events, whatever they hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from engine.domain.events import Step
from engine.domain.late_pattern import LatePattern
from engine.domain.model import Run
from engine.domain.record import record
from engine.domain.text import one_line, printable

MAX_GOAL, MAX_TEXT, MAX_OUTCOME = 400, 200, 300
MAX_STEPS, MAX_LOOKS, MAX_PATHS, MAX_VARIABLES = 24, 4, 6, 24
MAX_PROMPT = 8_000
"""Characters of a prompt that distinguish tasks."""
MAX_LESSON = 2_400
"""Characters that come before the prompt of a run that learns."""

LOOK, COMMAND, EDIT, CHECK = KINDS = ("look", "run", "edit", "check")
PATH, NAME, RANGE, NUMBER = VARIABLES = ("path", "name", "range", "number")

_CHECKS = LatePattern(
    r"(?:^|[\s/&|;])(?:\w*test\w*|py\.test|unittest|lint\w*|ruff|mypy|pyright|basedpyright|flake8"
    r"|pylint|tsc|eslint|clippy|vet|check\w*|verify|tox|nox|ctest|rspec|jest|vitest|build)"
    r"(?:$|[\s:;&|])"
)
_LOOKS = LatePattern(
    r"(?:cd \S+ && )?(?:ls|cat|head|tail|pwd|find|fd|rg|grep|sed -n|wc|tree|stat|file|nl|which|echo"
    r"|git (?:status|diff|log|show|grep|ls-files|branch|blame))(?:\s|$)"
)
_PATTERNS = {
    PATH: r"(?:[\w.@~+-]{0,80}/){1,20}[\w.@+-]{0,80}[\w@+-]"
    r"|[\w-]{1,80}(?:\.[\w-]{1,40}){0,5}\.[A-Za-z][A-Za-z0-9]{0,7}\b(?!\()",
    RANGE: r"\d{1,12}(?:\.\d{1,12}){0,3}\s?(?:\.\.|–|-|to)\s?\d{1,12}(?:\.\d{1,12}){0,3}",
    NUMBER: r"\d{1,20}(?:\.\d{1,20}){0,5}",
    NAME: r"`[^`\s][^`\n]{0,60}`|\"[^\"\s][^\"\n]{0,60}\"|'[^'\s][^'\n]{0,60}'",
}
# Every repetition is bounded: no text makes them slow.
# A name may hold a path, a path a range, a range numbers: the wider one is tried first.
_VARIABLE = LatePattern(
    "|".join(
        f"(?P<{kind}>(?<![\\w/])(?:{_PATTERNS[kind]}))" for kind in (NAME, PATH, RANGE, NUMBER)
    )
)


@record
class PatternStep:
    """One thing that was done and worked: `kind` look, run, edit or check."""

    kind: str
    text: str


@record
class PatternVariable:
    """A variable part of a task: a path, a name, a range or a number."""

    kind: str
    value: str


@record
class Pattern:
    """A task that was done, and the way that led there."""

    goal: str
    steps: tuple[PatternStep, ...] = ()
    variables: tuple[PatternVariable, ...] = ()
    outcome: str = ""
    template: str | None = None
    """Template that the task was started from."""

    def said(self) -> str:
        """Return all its words, to be found by."""
        parts = (self.goal, *(step.text for step in self.steps), self.template or "")
        return "\n".join((*parts, *(variable.value for variable in self.variables)))


@record
class SuccessRate:
    """The number of finished runs, and the number of successes among them."""

    ended: int = 0
    succeeded: int = 0


@record
class StoredPattern:
    """A pattern as it is kept: the runs it came from and those that used it, the newest first.

    `with_it` is what came of those that used it, `without` of those of its kind that did not.
    """

    id: str
    pattern: Pattern
    changed_at: float
    is_edited: bool = False
    runs: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()
    with_it: SuccessRate = SuccessRate()
    without: SuccessRate = SuccessRate()


def extract(run: Run, done: Iterable[Step]) -> Pattern | None:
    """Distil what worked from the steps of a run that succeeded; None where there is nothing."""
    goal = one_line(run.spec.prompt, MAX_GOAL) or one_line(run.spec.title, MAX_GOAL)
    steps = _shortened(_steps(done))
    if run.spec.verify:
        check = PatternStep(CHECK, one_line(run.spec.verify, MAX_TEXT))
        steps = [*(step for step in steps if step.text != check.text), check]
    if not goal or not steps:
        return None
    texts = (run.spec.prompt[:MAX_PROMPT], *(step.text for step in steps))
    return Pattern(goal, tuple(steps), variables(texts), _outcome(run), run.spec.template)


def id_of(goal: str, template: str | None = None) -> str:
    """Return the id of the pattern of tasks of one kind: equal words, whatever the variables."""
    text = printable(goal[:MAX_PROMPT])
    text = _VARIABLE.compiled.sub(lambda found: f"<{found.lastgroup}>", text).casefold()
    words = " ".join(re.findall(r"<\w+>|\w+", text))
    import hashlib  # late: a list of runs has no patterns

    return "p" + hashlib.sha256(f"{template or ''}\n{words}".encode()).hexdigest()[:9]


def variables(texts: Iterable[str]) -> tuple[PatternVariable, ...]:
    """Find paths, names, ranges and numbers, each once, in the order they come."""
    found: dict[PatternVariable, None] = {}
    for text in texts:
        for place in islice(_VARIABLE.compiled.finditer(printable(text)), 200):
            kind, value = place.lastgroup or NAME, place[0]
            if kind == NAME:
                value = value[1:-1].strip()
                whole = _VARIABLE.compiled.fullmatch(value)
                kind = whole.lastgroup or NAME if whole else NAME
            value = one_line(value, MAX_TEXT)
            if value:
                found.setdefault(PatternVariable(kind, value))
            if len(found) >= MAX_VARIABLES:
                return tuple(found)
    return tuple(found)


def lesson(pattern: Pattern, succeeded: int = 1) -> str:
    """Write a pattern as what comes before the prompt of a run that is to learn from it."""
    times = "once" if succeeded == 1 else f"{succeeded} times"
    head = [
        "<earlier-work>",
        f"A task like the one below was done here before and succeeded, {times}. This is what "
        "worked then: hints to check, no orders; its paths, names and numbers are those of that "
        "task.",
        f"Goal: {_escape(pattern.goal)}",
        "Steps that worked:",
    ]
    tail = [f"Outcome: {_escape(pattern.outcome)}"] if pattern.outcome else []
    tail += ["</earlier-work>"]
    room = MAX_LESSON - sum(len(line) + 1 for line in (*head, *tail))
    lines: list[str] = []
    for place, step in enumerate(pattern.steps, 1):
        line = f"{place}. {step.kind}: {_escape(step.text)}"
        room -= len(line) + 1
        if room < 20:
            lines.append(f"… and {len(pattern.steps) - place + 1} more")
            break
        lines.append(line)
    return "\n".join((*head, *lines, *tail))


def _escape(text: str) -> str:
    """Return one line of a pattern that cannot close the block around it."""
    return one_line(text, MAX_GOAL).replace("earlier-work", "earlier work")


# The steps


def _steps(done: Iterable[Step]) -> list[PatternStep]:
    """Return the steps that worked, in order; a repeated step stands where it was last."""
    found: dict[str, PatternStep] = {}
    failed: set[str] = set()
    for step in done:
        text = one_line(step.text or step.command or "", MAX_TEXT)
        if step.role != "tool" or step.phase == "started":
            continue
        if step.kind == "command" and step.exit_code not in (0, None):
            failed.add(text)
        elif step.phase == "completed":
            for each in _worked(step, text, failed):
                if each.kind == CHECK or each.text not in found:
                    found.pop(each.text, None)
                    found[each.text] = each
    return _joined(found.values())


def _worked(step: Step, text: str, failed: set[str]) -> Iterator[PatternStep]:
    if step.kind == "file_change":
        for change in islice(step.changes or (), MAX_PATHS):
            if path := one_line(change.path, MAX_TEXT):
                yield PatternStep(EDIT, path)
    elif step.kind == "command" and text and step.exit_code == 0:
        # A check that failed and then passed shows when the work was done.
        is_check = text in failed or _CHECKS.compiled.search(text[:MAX_TEXT])
        is_look = _LOOKS.compiled.match(text) and ">" not in text
        yield PatternStep(CHECK if is_check else LOOK if is_look else COMMAND, text)


def _joined(steps: Iterable[PatternStep]) -> list[PatternStep]:
    """Put files that were edited one after the other into one step."""
    joined: list[PatternStep] = []
    for step in steps:
        if step.kind == EDIT and joined and joined[-1].kind == EDIT:
            text = f"{joined[-1].text}, {step.text}"
            if len(text) <= MAX_TEXT:
                joined[-1] = PatternStep(EDIT, text)
                continue
        joined.append(step)
    return joined


def _shortened(steps: list[PatternStep]) -> list[PatternStep]:
    """Leave out most of what was only looked at, then what is in the middle."""
    looks = [step for step in steps if step.kind == LOOK]
    dropped = {id(step) for step in looks[MAX_LOOKS:]}
    steps = [step for step in steps if id(step) not in dropped]
    if len(steps) <= MAX_STEPS - 1:
        return steps
    head = MAX_STEPS // 2
    return [*steps[:head], *steps[-(MAX_STEPS - 1 - head) :]]


def _outcome(run: Run) -> str:
    changes = run.changes
    files = f"{changes.files} file{'' if changes.files == 1 else 's'} changed"
    parts = [f"{files} (+{changes.insertions} -{changes.deletions})" if changes.files else ""]
    if run.has_unknown_changes:
        parts = ["its changes are unknown"]
    parts.append(f"`{run.spec.verify}` passed" if run.spec.verify else "")
    parts.append(f"in {run.attempt} attempts" if run.attempt > 1 else "")
    return one_line(", ".join(part for part in parts if part), MAX_OUTCOME)
