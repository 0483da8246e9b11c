"""The list from which a run is chosen on a terminal where a command got none."""

from __future__ import annotations

import pytest
from pseudo import Opener
from typed import Swarm

from tui.cli.main import run

DOWN = b"\x1b[B"


@pytest.fixture
def ids(simulated: Swarm, swarm: Swarm) -> list[str]:
    """The ids of two runs, the newest first."""
    simulated("First task\nsim: say x")
    simulated("Second task\nsim: say x")
    return swarm("ls", "-q").out.split()


@pytest.mark.parametrize("keys", [DOWN + b"\r", b"j\r", b"2\r", b"\x1bOB\n"])
def test_arrows_and_numbers_choose_a_run(ids: list[str], terminal: Opener, keys: bytes) -> None:
    shown = terminal("show")
    shown.until("Enter to choose", "› 1", "Second task", "First task")
    shown.type(keys)
    assert shown.end() == 0
    assert f"id         {ids[1]}" in shown.text
    assert "Enter to choose" not in shown.text


def test_text_that_names_no_row_chooses_none(ids: list[str], terminal: Opener) -> None:
    shown = terminal("show")
    shown.until("Enter to choose", "› 1")
    for text in ("9", "12", "0", "1x", "xk", "A", "12345678901234567890"):
        shown.type(text.encode() + b"\r\r")
        shown.until(f"There is no row {text[:9]}")
        assert "›" not in shown.text
    shown.type(b"29")
    shown.until("There is no row 29")
    shown.type(b"\x1b[A\x1b[B")  # an arrow begins at a row
    shown.until("› 2")
    shown.type(b"15\x7f\x7f2\r")
    assert shown.end() == 0
    assert f"id         {ids[1]}" in shown.text


@pytest.mark.parametrize("key", [b"\x1b", b"q", b"\x03"])
def test_leaving_the_list_chooses_none(ids: list[str], terminal: Opener, key: bytes) -> None:
    shown = terminal("logs")
    shown.until("Enter to choose", ids[0])
    shown.type(key)
    assert shown.end() == 130
    assert shown.text == ""


@pytest.mark.usefixtures("ids")
def test_only_runs_that_fit_are_offered(terminal: Opener) -> None:
    shown = terminal("cancel")
    assert shown.end() == 3
    assert "No run fits `swarm-tui cancel`." in shown.text


@pytest.mark.parametrize(
    "name",
    [
        "show",
        "logs",
        "diff",
        "apply",
        "files",
        "get",
        "artifacts",
        "restore",
        "resume",
        "retry",
        "cancel",
        "watch",
        "wait",
    ],
)
def test_without_a_terminal_a_missing_run_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert run([name]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"Usage: swarm-tui {name} ")


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("words", [("show", "--json"), ("get",)])
def test_no_list_where_it_would_be_no_use(terminal: Opener, words: tuple[str, ...]) -> None:
    shown = terminal(*words)
    assert shown.end() == 2
    assert "Missing argument" in shown.text
