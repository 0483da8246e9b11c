"""The engine runs without a screen: importing it brings no part of one."""

from __future__ import annotations

import subprocess
import sys

import pytest

FORBIDDEN = {"tui", "textual", "rich", "click"}
LATE = {"yaml", "platformdirs", "psutil"}


def imported(statement: str) -> set[str]:
    program = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["engine.engine", "engine.domain.projection", "engine.agents.codex.translation"]
)
def test_the_engine_brings_no_screen(module: str) -> None:
    assert not imported(f"import {module}") & FORBIDDEN


def test_what_is_slow_to_import_and_seldom_needed_comes_late() -> None:
    assert not imported("import engine.engine") & LATE


def test_errors_of_agents_are_known_without_their_modules() -> None:
    imported(
        "import engine.engine; from engine.domain.errors import entry_of, user_error;"
        "assert 'engine.agents.profiles' not in sys.modules;"
        "assert entry_of('CODEX_TOO_OLD').recovery; assert not entry_of('OF_TOMORROW').recovery;"
        "assert user_error('CODEX_AUTH_REQUIRED').message"
    )


def test_the_domain_needs_the_standard_library_only() -> None:
    brought = imported("import engine.domain.run_json, engine.domain.stamp") - imported("")
    assert brought - {"engine"} <= sys.stdlib_module_names
    assert not brought & {"asyncio", "subprocess", "sqlite3"}
