"""Script of the demo: simulated runs, actions on them, and their expected ends."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from engine.domain.errors import UserError
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Agent, Run, RunSpec, Status
from engine.ports.engine import EnginePort

PROJECT = "demo"


@dataclass(frozen=True, slots=True)
class DemoRun:
    """One run of the demo: its prompt, and the status it ends with."""

    title: str
    prompt: str
    ends: Status = Status.SUCCEEDED
    attempts: int = 1
    error: str | None = None

    @property
    def spec(self) -> RunSpec:
        """The run to request from the engine."""
        text = f"{self.prompt}\n{_SCRIPTS[self.title]}" if self.title in _SCRIPTS else self.prompt
        return RunSpec(prompt=text, title=self.title, project=PROJECT, agent=Agent.SIMULATED)


CRASHING = "Update the dependencies"
ENDLESS = "Rewrite everything at once"
REFUSED = "Ask for more than there is"

_SCRIPTS = {
    "Fix the date parser": """
sim: think **Reading the failing test** The parser takes 31 April for a valid date.
sim: plan Reproduce the failure | Find the cause | Mend it | Run all tests
sim: command "pytest -q tests/test_dates.py" exit=1 takes=1.2 output="F...\\n1 failed, 3 passed"
sim: done 1
sim: command "rg -n 'def parse' src" takes=0.4 output="src/dates.py:12:def parse(text):"
sim: wait 0.8
sim: done 2
sim: write src/dates.py def parse(text):\\n    return date.fromisoformat(text.strip())\\n
sim: done 3
sim: command "pytest -q" takes=2.5 output="....................\\n20 passed in 0.31s"
sim: done 4
sim: usage input=18400 cached=12100 output=940
sim: say `parse` now leaves the calendar to the standard library; all 20 tests pass.
""",
    "Write the user guide": """
sim: plan Outline | Installation | First steps | Check the links
sim: wait 1.5
sim: write docs/outline.md # Guide\\n\\n1. Installation\\n2. First steps\\n
sim: done 1
sim: wait 2
sim: write docs/installation.md # Installation\\n\\nOne command, nothing else.\\n
sim: done 2
sim: wait 2
sim: write docs/first-steps.md # First steps\\n\\nStart a run and watch it.\\n
sim: done 3
sim: search markdown link checker
sim: command "linkcheck docs" takes=1.5 output="14 links, all good"
sim: done 4
sim: usage input=22600 cached=9800 output=2310
sim: say The guide has three chapters, and every link leads somewhere.
""",
    REFUSED: """
sim: think **Estimating** This repository is large; I read it module by module.
sim: command "find . -name '*.py' | wc -l" takes=0.8 output="1482"
sim: wait 1.5
sim: usage input=31000 output=120
sim: fail quota
""",
    CRASHING: """
sim: plan List what is old | Update | Run all tests
sim: command "pip list --outdated" takes=1.1 output="requests 2.31.0 2.32.3"
sim: done 1
sim: attempt 1
sim: wait 1
sim: crash
sim: end
sim: write requirements.txt requests==2.32.3\\n
sim: done 2
sim: command "pytest -q" takes=1.8 output="57 passed in 1.02s"
sim: done 3
sim: usage input=9100 cached=4000 output=310
sim: say Everything is up to date, and the tests pass.
""",
    ENDLESS: """
sim: think **Thinking big** Where to begin? Everywhere.
sim: command "make everything" takes=600
""",
}

SCENES = (
    DemoRun("Add a greeting", "Add a function that greets people by name"),
    DemoRun(CRASHING, "Update the dependencies and make sure that all still works", attempts=2),
    DemoRun("Fix the date parser", "Fix the test that fails: tests/test_dates.py"),
    DemoRun(ENDLESS, "Rewrite everything at once", Status.CANCELLED),
    DemoRun(REFUSED, "Review the whole repository", Status.FAILED, error="QUOTA_EXCEEDED"),
    DemoRun("Write the user guide", "Write a short user guide in docs/"),
)


async def start(engine: EnginePort) -> dict[str, DemoRun]:
    """Start all scenes and return them by the ids of their runs."""
    return {(await engine.start(scene.spec)).id: scene for scene in SCENES}


async def direct(engine: EnginePort, scenes: dict[str, DemoRun]) -> None:
    """Do what a user would: retry the run that crashed, cancel the one that never ends."""
    runs = {scene.title: run_id for run_id, scene in scenes.items()}
    acts = {
        runs[CRASHING]: lambda: engine.retry(runs[CRASHING]),
        runs[REFUSED]: lambda: engine.cancel(runs[ENDLESS]),
    }
    batches = engine.batches()
    while acts:
        for run_id in list(acts):
            status = engine.view.runs[run_id].status
            if status in FINISHED:
                act = acts.pop(run_id)
                if status is Status.FAILED:
                    with suppress(UserError):  # done before a fault here
                        await act()
        if acts:
            await anext(batches)


def faults(runs: dict[str, Run], scenes: dict[str, DemoRun]) -> list[str]:
    """Return the runs that did not end as the script expects."""
    told: list[str] = []
    for run_id, scene in scenes.items():
        run = runs[run_id]
        is_so = (run.status, run.attempt, run.error.code if run.error else None)
        should_be = (scene.ends, scene.attempts, scene.error)
        if is_so != should_be:
            told.append(f"{scene.title}: {_words(*is_so)} instead of {_words(*should_be)}")
    return told


def _words(status: Status, attempt: int, error: str | None) -> str:
    return f"{status}{f' ({error})' if error else ''} in attempt {attempt}"
