"""The group: help, wrong usage, failures, and what is imported."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import click
import pytest

from engine.config.paths import Paths
from engine.domain.budget import Budget, BudgetUnit
from engine.domain.errors import user_error
from engine.domain.model import RunSpec
from engine.store.store import open_store
from tui.cli.commands import ls
from tui.cli.main import COMMANDS, group, run
from tui.cli.support import failure
from tui.cli.support.options import BudgetParam, TimeParam

ROOT = Path(__file__).resolve().parents[2]


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run(capsys, "--help")
    assert (code, err) == (0, "")
    for name, lazy in COMMANDS.items():
        assert f"  {name}" in out
        assert lazy.summary in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], name: str) -> None:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    assert command.name == name
    code, out, _ = _run(capsys, name, "--help")
    assert code == 0
    assert f"Usage: swarm-tui {name}" in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(capsys, "--version") == (0, "swarm-tui 0.1.0\n", "")


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["cancle", "x"], "'cancel'"),
        (["ls", "--jsno"], "'--json'"),
        (["ls", "--status", "suceeded"], "'succeeded'"),
        (["run", "--sandbox", "readonly", "x"], "'read-only'"),
        (["run", "--agent", "codx", "x"], "'codex'"),
    ],
)
def test_wrong_usage_names_the_nearest(
    capsys: pytest.CaptureFixture[str], words: list[str], nearest: str
) -> None:
    code, out, err = _run(capsys, *words)
    assert (code, out) == (2, "")
    assert nearest in err
    assert "--help" in err


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["run", "--empty", "--copy", ".", "x"],
        ["run", "-c", "no-value", "x"],
        ["run", "-c", "=1", "x"],
        ["run", "--timeout", "soon", "x"],
        ["run", "--timeout", "0", "x"],
        ["run", "--title", "\udcff", "x"],
        ["cancel"],
        ["cancel", "--all", "abc"],
        ["ls", "-n", "0"],
        ["watch", "--since", "-1", "x"],
        ["retry"],
        ["retry", "--failed", "abc"],
        ["retry", "abc", "--prompt", " "],
        ["resume"],
        ["resume", "abc"],
        ["wait"],
        ["wait", "--all", "abc"],
        ["wait", "--all", "--timeout", "0"],
        ["slots", "0"],
        ["slots", "many"],
        ["logs", "abc", "--raw", "--stderr"],
    ],
)
def test_wrong_usage_costs_nothing(
    capsys: pytest.CaptureFixture[str], paths: Paths, words: list[str]
) -> None:
    code, out, err = _run(capsys, *words)
    assert (code, out) == (2, "")
    assert "Error: " in err
    assert not paths.home.exists()


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["--at", "25:00"], "HH:MM"),
        (["--at", "soon"], "+30m"),
        (["--at", "+soon"], "90s"),
        (["--at", "2001-01-01T00:00"], "has passed"),
        (["--budget", "many"], "200k"),
        (["--budget", "0"], "200k"),
        (["--budget", "1.5"], "200k"),
        (["--budget", "1.0001k"], "200k"),
        (["--retries", "-1"], "0<=x<=100"),
        (["--priority", "high"], "integer"),
        (["--timeout", "soon"], "90s"),
    ],
)
def test_wrong_values_name_what_is_allowed(
    capsys: pytest.CaptureFixture[str], paths: Paths, words: list[str], allowed: str
) -> None:
    code, out, err = _run(capsys, "run", *words, "a prompt")
    assert (code, out) == (2, "")
    assert allowed in err
    assert not paths.home.exists()


def test_times_and_budgets() -> None:
    now = time.time()
    budgets, times = BudgetParam(), TimeParam()
    found = [budgets.convert(text, None, None) for text in ("7", "200k", "1.5M", "5 USD", "10%5h")]
    assert found == [
        Budget(7),
        Budget(200_000),
        Budget(1_500_000),
        Budget(5.0, BudgetUnit.USD),
        Budget(10.0, BudgetUnit.WINDOW),
    ]
    assert 1795 < times.convert("+30m", None, None) - now < 1805
    assert times.convert("2100-01-01T00:00:00+00:00", None, None) == 4_102_444_800
    for minutes in (-2, 2):  # tomorrow, if it has passed today
        clock = time.strftime("%H:%M", time.localtime(now + minutes * 60))
        assert 0 < times.convert(clock, None, None) - now <= 86_400 + 3600
        assert time.strftime("%H:%M", time.localtime(times.convert(clock, None, None))) == clock


def test_user_error_is_one_panel_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run(capsys, "show", "nobody")
    assert (code, out) == (3, "")
    assert err.splitlines() == [
        "Error: There is no run `nobody`.",
        "List the runs with `swarm-tui ls`.",
        "RUN_NOT_FOUND · docs/errors.md#run_not_found",
    ]


def test_user_error_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run(capsys, "show", "nobody", "--json")
    assert (code, err) == (3, "")
    assert json.loads(out) == {
        "error": {
            "code": "RUN_NOT_FOUND",
            "message": "There is no run `nobody`.",
            "recovery": "List the runs with `swarm-tui ls`.",
            "docs_url": "docs/errors.md#run_not_found",
        }
    }


def test_wrong_settings_are_a_user_error(capsys: pytest.CaptureFixture[str], paths: Paths) -> None:
    paths.config.write_text("slotz: 3\n")
    code, _, err = _run(capsys, "config", "check")
    assert code == 3
    assert "config.yaml:1: unknown key `slotz`. Did you mean `slots`?" in err


def test_dashboard_needs_a_terminal(capsys: pytest.CaptureFixture[str], paths: Paths) -> None:
    code, out, err = _run(capsys)
    assert (code, out) == (3, "")
    assert "NOT_A_TERMINAL" in err
    assert not paths.home.exists()


@pytest.fixture
def broken_ls(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> NoReturn:
        raise ValueError("the core \x1b[31mmelted")

    monkeypatch.setattr(ls.ls, "callback", fail)


@pytest.mark.usefixtures("broken_ls")
def test_fault_is_short_and_written_down(capsys: pytest.CaptureFixture[str], paths: Paths) -> None:
    code, out, err = _run(capsys, "ls")
    assert (code, out) == (3, "")
    assert "Something went wrong inside swarm-tui (ValueError: the core melted)." in err
    assert str(paths.log) in err
    assert "Traceback" not in err
    assert "\x1b" not in err
    assert "Traceback" in paths.log.read_text()
    assert stat.S_IMODE(paths.log.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.home.stat().st_mode) == 0o700


@pytest.mark.usefixtures("broken_ls")
@pytest.mark.parametrize("words", [["--debug", "ls"], ["ls", "--debug"]])
def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, out, err = _run(capsys, *words)
    assert (code, out) == (3, "")
    assert "Traceback" in err
    assert "\x1b" not in err


@pytest.mark.usefixtures("broken_ls")
def test_fault_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run(capsys, "ls", "--json")
    assert (code, err) == (3, "")
    assert json.loads(out)["error"]["code"] == "INTERNAL"


@pytest.mark.usefixtures("broken_ls")
def test_fault_is_told_where_no_log_can_be_kept(
    capsys: pytest.CaptureFixture[str], paths: Paths
) -> None:
    paths.home.write_text("not a folder")
    code, _, err = _run(capsys, "ls")
    assert code == 3
    assert "ValueError" in err
    assert str(paths.log) not in err


def test_interrupt_is_quiet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(**_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(ls.ls, "callback", interrupted)
    code, out, err = _run(capsys, "ls")
    assert (code, out, err.strip()) == (130, "", "")


def test_the_error_inside_a_group_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    error = ExceptionGroup(
        "tasks", [ValueError("x"), ExceptionGroup("", [user_error("DISK_FULL")])]
    )
    assert failure.report(error, as_json=False, debug=False) == 3
    assert "DISK_FULL" in capsys.readouterr().err


HEAVY = ("textual", "rich.console", "rich.live", "yaml", "watchfiles", "psutil", "platformdirs")
NOT_FOR_LISTS = (
    "engine.agents.profiles",
    "engine.domain.rule_answers",
    "engine.execution.executors",
    "engine.notifications",
    "engine.runs.requests",
    "engine.usage.prices",
    "engine.workspaces",
    *(f"engine.store.{name}" for name in ("patterns", "search", "shrinking", "usage_reading")),
    *(f"tui.formatting.{name}" for name in ("events", "hits", "patterns", "properties")),
    *("csv", "difflib", "hashlib", "random", "shutil", "tomllib"),
)
"""Modules for what a list of runs does not do; each of them takes about a millisecond."""
OF_AN_ENGINE = (
    "aiosqlite",
    "asyncio",
    "engine.engine",
    "engine.store.store",
    "json",
    "logging",
    "subprocess",
    "tui.cli.support.session",
)
"""Modules that a list of runs in a home in order does without: it reads the database alone."""
OF_LISTS = 108
"""Modules of ours that a list of runs imports."""


def _imported(words: list[str]) -> set[str]:
    program = (
        "import sys; from tui.cli.main import run; run(sys.argv[1:]);"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return set(done.stderr.split())


async def test_a_list_of_runs_imports_few_modules(paths: Paths) -> None:
    paths.prepare()
    paths.lock.touch()
    async with open_store(paths.database) as store:
        await store.create(RunSpec("Work.", "Task", "project"), ())
    imported = _imported(["ls", "--status", "queued"])
    ours = {name for name in imported if name.split(".")[0] in ("engine", "tui")}
    assert "tui.cli.support.run_table" in ours  # there was a table
    assert not {*NOT_FOR_LISTS, *OF_AN_ENGINE} & imported
    assert len(ours) <= OF_LISTS


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (["--help"], (*HEAVY, "rich", "asyncio", "msgspec", "sqlite3", "engine.engine")),
        (["wait", "--help"], (*HEAVY, "rich", "asyncio", "msgspec", "sqlite3", "engine.engine")),
        (["pause"], (*HEAVY, "rich")),
        (["wait", "--all"], HEAVY),
        (["run", "--help"], (*HEAVY, "rich", "asyncio", "msgspec", "sqlite3", "engine.engine")),
        (["completion", "bash"], (*HEAVY, "rich", "asyncio", "msgspec", "engine.engine")),
        (["ls"], (*HEAVY, *NOT_FOR_LISTS)),
        (["ls", "-q"], (*HEAVY, "engine.notifications", "engine.runs.requests", "rich")),
        (["ls", "--json"], (*HEAVY, "rich")),
        (["show", "nobody", "--json"], (*HEAVY, "rich")),
    ],
)
def test_nobody_pays_for_what_is_not_used(words: list[str], absent: tuple[str, ...]) -> None:
    assert not set(absent) & _imported(words)


@pytest.mark.parametrize(
    ("line", "absent"),
    [
        ("swarm-tui l", (*HEAVY, "rich", "asyncio", "msgspec", "engine.engine")),
        ("swarm-tui show ", (*HEAVY, "rich")),
    ],
)
def test_a_shell_that_asks_waits_for_nothing_else(
    monkeypatch: pytest.MonkeyPatch, paths: Paths, line: str, absent: tuple[str, ...]
) -> None:
    assert run(["ls"]) == 0  # a home to look into
    monkeypatch.setenv("_SWARM_TUI_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_LINE", line)
    test_nobody_pays_for_what_is_not_used([], absent)


def test_wrong_usage_writes_nothing_raw(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["pause", "\x1b[31mx"],
        ["\x1b[31mx"],
        ["ls", "--\x1b[31mx"],
        ["slots", "\x9b2J"],
    ):
        code, out, err = _run(capsys, *words)
        assert (code, out) == (2, "")
        assert "Error: " in err
        assert not {"\x1b", "\x9b"} & set(err)
