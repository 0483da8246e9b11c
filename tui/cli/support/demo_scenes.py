"""The scenes of the demo: a repository, and what simulated agents do in it."""

from __future__ import annotations

from dataclasses import dataclass

from engine.domain.model import Status

PROJECT = "garden"
FILES = {
    "README.md": "# Garden\n\nPlants, dates and prices.\n",
    "src/dates.py": "def parse(text):\n    day, month, year = text.split('.')\n    return day\n",
    "src/prices.py": "def rounded(price):\n    return int(price)\n",
    "src/greet.py": "def greet(name):\n    return 'Hello ' + name\n",
    "src/plants.py": "PLANTS = ['rose', 'fern', 'aster']\n",
    "check.sh": "if grep -q round src/prices.py && grep -q 'round(price)' src/prices.py; then\n"
    "  echo '57 passed'\nelse\n  echo 'FAILED tests/test_prices.py::test_half_cents'\n"
    "  echo 'FAILED tests/test_prices.py::test_negative'\n  echo '2 failed, 55 passed'\n"
    "  exit 1\nfi\n",
}
"""The files of the throw-away repository, by their paths."""
CHECK = "sh check.sh"


@dataclass(frozen=True, slots=True)
class DemoRun:
    """One run of the demo: prompt and script, and the status it ends with."""

    title: str
    prompt: str
    script: str
    ends: Status = Status.SUCCEEDED
    attempts: int = 1
    error: str | None = None
    verify: str | None = None
    asks: bool = False
    """True if it is interactive, and asks before it goes on."""


def _work(
    thought: str, command: str, output: str, path: str, text: str, said: str, seconds: float
) -> str:
    """Return the script of a usual run: think, look, edit one file, test, report."""
    part = seconds / 6
    return f"""
sim: think {thought}
sim: plan Read the code | Edit {path} | Run the tests
sim: wait {part:.1f}
sim: command "{command}" takes={part:.1f} output="{output}"
sim: done 1
sim: wait {part:.1f}
sim: write {path} {text}
sim: done 2
sim: command "pytest -q" takes={2 * part:.1f} output="57 passed in 0.8s"
sim: done 3
sim: usage input=18400 cached=12100 output=940
sim: wait {part:.1f}
sim: say {said}
"""


CRASHING = "Update the dependencies"
ENDLESS = "Rewrite everything at once"
REFUSED = "Review the whole repository"
BATCH = "Speed up the date parser"
CONFLICTING = ("Rename the project", "Shorten the README")
"""Two runs that change the same line."""

_DATES = r"from datetime import date\n\n\ndef parse(text):\n    return date.fromisoformat(text)\n"
_QUICK = r"def parse(text):\n    day, _, rest = text.partition('.')\n    return day\n"
_TABLE = r"DAYS = {}\n\n\ndef parse(text):\n    return DAYS.setdefault(text, text[:2])\n"

SCENES = (
    DemoRun(
        "Fix the date parser",
        "Fix the test that fails: tests/test_dates.py",
        _work(
            "**Reading the failing test** The parser accepts 31 April as a date.",
            "rg -n 'def parse' src",
            "src/dates.py:1:def parse(text):",
            "src/dates.py",
            _DATES,
            "`parse` now leaves the calendar to the standard library; all 57 tests pass.",
            14,
        ),
    ),
    DemoRun(
        CRASHING,
        "Update the dependencies and make sure that everything still works",
        """
sim: plan List outdated packages | Update | Run the tests
sim: command "pip list --outdated" takes=3 output="requests 2.31.0 2.32.3"
sim: done 1
sim: attempt 1
sim: wait 3
sim: crash
sim: end
sim: write requirements.txt requests==2.32.3\\n
sim: done 2
sim: command "pytest -q" takes=6 output="57 passed in 1.0s"
sim: done 3
sim: usage input=9100 cached=4000 output=310
sim: say Everything is up to date, and the tests pass.
""",
        attempts=2,
    ),
    DemoRun(
        REFUSED,
        "Review every module for mistakes",
        """
sim: think **Estimating** This repository is large; I read it module by module.
sim: command "find . -name '*.py' | wc -l" takes=4 output="1482"
sim: wait 5
sim: usage input=31000 output=120
sim: fail quota
""",
        Status.FAILED,
        error="QUOTA_EXCEEDED",
    ),
    DemoRun(
        ENDLESS,
        "Rewrite everything at once",
        """
sim: think **Thinking big** Every module can be rewritten at the same time.
sim: command "make everything" takes=3600
""",
        Status.CANCELLED,
    ),
    DemoRun(
        "Round prices correctly",
        "Round prices to whole cents; the check must pass",
        _work(
            "**Reading the rule** Half cents round up.",
            "cat src/prices.py",
            "def rounded(price): return int(price)",
            "src/prices.py",
            r"def rounded(price):\n    return int(price + 0.5)\n",
            "Prices are rounded up at half a cent.",
            12,
        ),
        Status.FAILED,
        error="VERIFY_FAILED",
        verify=CHECK,
    ),
    DemoRun(
        CONFLICTING[0],
        "Call the project Orchard in the README",
        _work(
            "**Searching the name** It occurs only in the heading.",
            "rg -n Garden",
            "README.md:1:# Garden",
            "README.md",
            r"# Orchard\n\nPlants, dates and prices.\n",
            "The heading of the README is `# Orchard`.",
            10,
        ),
    ),
    DemoRun(
        CONFLICTING[1],
        "Make the README as short as possible",
        _work(
            "**Reading the README** One heading is enough.",
            "cat README.md",
            "# Garden",
            "README.md",
            r"# The garden of plants\n",
            "One line is left: `# The garden of plants`.",
            12,
        ),
    ),
    DemoRun(
        "Write the user guide",
        "Write a short user guide in docs/",
        """
sim: plan Outline | Installation | First steps | Check the links
sim: wait 4
sim: write docs/outline.md # Guide\\n\\n1. Installation\\n2. First steps\\n
sim: done 1
sim: wait 6
sim: write docs/installation.md # Installation\\n\\nOne command.\\n
sim: done 2
sim: wait 6
sim: write docs/first-steps.md # First steps\\n\\nStart a run and watch it.\\n
sim: done 3
sim: search markdown link checker
sim: command "linkcheck docs" takes=5 output="14 links, all good"
sim: done 4
sim: usage input=22600 cached=9800 output=2310
sim: say The guide has three chapters, and every link works.
""",
    ),
    DemoRun(
        "Find dead code",
        "List functions that nothing calls",
        """
sim: think **Choosing a tool** The package vulture finds functions that nothing calls.
sim: plan Install vulture | Run it | Write the list
sim: wait 4
sim: ask "pip install vulture" takes=3 reason="The search needs the package vulture from PyPI."
sim: done 1
sim: command "vulture src" takes=4 output="src/greet.py:1: unused function 'greet' (60% confidence)"
sim: done 2
sim: write docs/dead-code.md # Dead code\\n\\n- `greet` in src/greet.py\\n
sim: done 3
sim: usage input=11300 cached=6200 output=420
sim: say One function is never called: `greet`.
""",
        asks=True,
    ),
    *(
        DemoRun(
            title,
            prompt,
            _work(
                f"**Reading {path}** The change is small.", f"cat {path}", "", path, text, said, s
            ),
        )
        for title, prompt, path, text, said, s in (
            (
                "Greet in Spanish",
                "Add a greeting in Spanish",
                "src/greet.py",
                r"def greet(name):\n    return 'Hello ' + name\n\n\n"
                r"def saluda(name):\n    return 'Hola ' + name\n",
                "`saluda` greets in Spanish.",
                16,
            ),
            (
                "Sort the plants",
                "Sort the plants by name",
                "src/plants.py",
                r"PLANTS = ['aster', 'fern', 'rose']\n",
                "The plants are in alphabetical order.",
                18,
            ),
            (
                "Add a licence",
                "Add the MIT licence",
                "LICENSE",
                r"MIT License\n",
                "`LICENSE` has the text of the MIT licence.",
                20,
            ),
            (
                "Start a changelog",
                "Start a changelog",
                "CHANGELOG.md",
                r"# Changelog\n\n## Unreleased\n",
                "`CHANGELOG.md` begins with an unreleased section.",
                18,
            ),
            (
                "Add a price list",
                "Write a price list for the plants",
                "docs/prices.md",
                r"# Prices\n\n| plant | price |\n|---|---|\n| rose | 4.50 |\n",
                "`docs/prices.md` lists the prices.",
                22,
            ),
            (
                "Describe the tests",
                "Describe in docs/ how to run the tests",
                "docs/testing.md",
                r"# Tests\n\nRun `sh check.sh`.\n",
                "`docs/testing.md` names the command.",
                20,
            ),
            (
                "Ignore build files",
                "Add a .gitignore for Python",
                ".gitignore",
                r"__pycache__/\nbuild/\n",
                "Python's build files are ignored.",
                16,
            ),
            (
                "Water the plants",
                "Add a module that remembers when plants were watered",
                "src/water.py",
                r"WATERED = {}\n\n\ndef water(plant, day):\n    WATERED[plant] = day\n",
                "`water(plant, day)` remembers the day.",
                24,
            ),
        )
    ),
)
COPIES = (
    DemoRun(
        BATCH,
        "Make the date parser faster; the check must pass",
        _work(
            "**Measuring** Splitting takes most of the time.",
            "python -m timeit src/dates.py",
            "1.2 usec per loop",
            "src/dates.py",
            _QUICK,
            "Parsing takes half the time.",
            16,
        ),
    ),
    DemoRun(
        BATCH,
        "Make the date parser faster; the check must pass",
        _work(
            "**Measuring** A table of known dates avoids the work.",
            "python -m timeit src/dates.py",
            "1.2 usec per loop",
            "src/dates.py",
            _TABLE,
            "A table makes repeated dates ten times as fast.",
            20,
        ),
    ),
    DemoRun(
        BATCH,
        "Make the date parser faster; the check must pass",
        """
sim: think **Rewriting in C** An extension is the fastest.
sim: command "cc -O3 dates.c" exit=1 takes=8 output="cc: command not found"
sim: fail context
""",
        Status.FAILED,
        error="CONTEXT_WINDOW_EXCEEDED",
    ),
)
"""The copies of one task, which are a batch."""
