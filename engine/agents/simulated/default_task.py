"""The default task, played without directives in the prompt: believable, and always the same."""

from __future__ import annotations

import re
import zlib
from keyword import iskeyword

_SMALL_WORDS = {"a", "an", "and", "for", "in", "it", "of", "on", "please", "the", "to", "with"}
_THOUGHTS = (
    "**Getting an overview** The request is small; I look at what is there before I change it.",
    "**Planning the change** One new module is enough, and a check that it does what was asked.",
    "**Reading the code** I keep to the style of the files around and add no dependency.",
)
_TESTS = ("pytest -q", "python -m pytest -q", "python -m unittest -q")


def directives(prompt: str) -> list[str]:
    """Write the script of a first turn, about 8 seconds long."""
    seed, name = _seed(prompt), _name(prompt)
    path, tests = f"{name}.py", 2 + seed % 5
    listing = f"README.md\\n{path}" if seed % 2 else "README.md\\ndocs"
    return [
        "wait 0.8",
        f"think {_THOUGHTS[seed % len(_THOUGHTS)]}",
        f"plan Look at the project | Write {path} | Check it | Sum up",
        "wait 0.4",
        f'command "ls" takes=0.5 output="{listing}"',
        f'command "rg -n {name} ." exit=1 takes=0.6 output=""',
        "done 1",
        "wait 1.2",
        f"write {path} {_first_draft(name, seed)}",
        "done 2",
        f'command "{_TESTS[seed % len(_TESTS)]}" exit=1 takes=1.4 output="{_failed(tests)}"',
        "think **One check fails** The empty case is missing; I add it.",
        "wait 0.7",
        f"append {path} {_addition(name)}",
        f'command "{_TESTS[seed % len(_TESTS)]}" takes=1.1 output="{tests} passed in 0.04s"',
        "done 3",
        "wait 0.6",
        "done 4",
        f"say I added `{path}` with `{name}()`, handled the empty case, and the {tests} checks "
        "pass. (Simulated: the file is real, the commands were not run.)",
    ]


def follow_up(prompt: str) -> list[str]:
    """Write the script of a resumed turn, about 3 seconds long."""
    name = _name(prompt)
    return [
        "wait 0.5",
        "think **Going on** I pick up where the last turn ended.",
        f'command "git status --short" takes=0.4 output="?? {name}.py"',
        "wait 0.6",
        f"append notes.md - {name}: looked at once more",
        f'command "{_TESTS[_seed(prompt) % len(_TESTS)]}" takes=0.9 output="3 passed in 0.03s"',
        "wait 0.3",
        "say I looked at it once more and noted it in `notes.md`. (Simulated.)",
    ]


def _seed(prompt: str) -> int:
    return zlib.crc32(prompt.encode("utf-8", "replace"))


def _name(prompt: str) -> str:
    words = re.findall(r"[a-z][a-z0-9]*", prompt[:400].lower())
    telling = [word[:16] for word in words if word not in _SMALL_WORDS][:3]
    name = "_".join(telling) or "simulated_task"
    return f"{name}_it" if iskeyword(name) else name  # it names a function


def _first_draft(name: str, seed: int) -> str:
    return (
        '"""Written by the simulated agent."""\\n\\nSEED = '
        f"{seed % 1000}\\n\\n\\ndef {name}(values: list[int]) -> int:\\n"
        '    """Add the values up, beginning with the seed."""\\n'
        "    return SEED + sum(values)"
    )


def _addition(name: str) -> str:
    return (
        f"\\n\\ndef {name}_or_none(values: list[int]) -> int | None:\\n"
        '    """Return None for no values."""\\n'
        f"    return {name}(values) if values else None"
    )


def _failed(tests: int) -> str:
    return f"FAILED test_empty - assert 0 is None\\n1 failed, {tests - 1} passed in 0.05s"
