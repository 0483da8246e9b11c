"""The command line on a terminal, as a terminal emulator sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pseudo import Opener, Terminal
from typed import Swarm


def test_the_live_view(terminal: Opener) -> None:
    script = (
        "Paint\nsim: plan Sketch | Colour\nsim: write a.txt x\nsim: done 1\n"
        r"sim: say [/red] \x1b]52;c;QQ==\x07 fine"
        "\nsim: command brush takes=1 output=done"
    )
    shown = terminal("run", "--empty", "--agent", "simulated", script)
    shown.until("● running  Paint (simulated)", "━", "55%", "running `brush` for 0:0")
    assert shown.end() == 0
    assert "✓ ran      " in shown.text
    assert "edit     A a.txt" in shown.text
    assert "[/red]" in shown.text
    assert "succeeded after " in shown.text
    assert "A a.txt  +1 −0" in shown.text
    assert "next: swarm-tui diff " in shown.text
    assert "running  Paint" not in shown.text
    assert "━" not in shown.text
    assert not shown.screen.cursor.hidden
    assert b"\x1b]52;" not in shown.raw


BUSY = ("run", "--empty", "--agent", "simulated", "sim: say busy\nsim: hang")
QUESTION = "Leave it running in the background (Enter), cancel it (c), or stay (Esc)?"


@pytest.fixture
def asked(terminal: Opener) -> Terminal:
    """A run whose user has just typed Ctrl-C."""
    shown = terminal(*BUSY)
    shown.until("busy", "running")
    shown.type(b"\x03")
    shown.until(QUESTION)
    return shown


def test_ctrl_c_and_enter_leave_the_run(asked: Terminal, swarm: Swarm) -> None:
    asked.type(b"\r")
    assert asked.end() == 130
    run = swarm("show", "@last", "--json").json
    assert f"{run['id']} goes on in the background: swarm-tui watch {run['id']}" in asked.text
    assert run["status"] == "running"
    assert not asked.screen.cursor.hidden
    swarm("cancel", "@last")
    assert swarm("wait", "@last").code == 130  # somebody supervises


def test_ctrl_c_and_c_cancel(asked: Terminal) -> None:
    asked.type(b"c")
    assert asked.end() == 130
    assert "cancelling (once more kills at once)" in asked.text
    assert "⊘ " in asked.text
    assert "next: swarm-tui retry " in asked.text
    assert QUESTION not in asked.text
    assert not asked.screen.cursor.hidden


def test_ctrl_c_twice_cancels(asked: Terminal, swarm: Swarm) -> None:
    asked.type(b"\x03")
    assert asked.end() == 130
    assert swarm("show", "@last", "--json").json["status"] == "cancelled"


def test_ctrl_c_and_escape_stay(asked: Terminal, swarm: Swarm) -> None:
    asked.type(b"\x1b[A\x1bOP\x1b")  # a cursor key and a function key are no answer
    asked.until_not(QUESTION)
    swarm("cancel", "@last")
    assert asked.end() == 130


def test_a_terminal_that_goes_away_leaves_the_run(terminal: Opener, swarm: Swarm) -> None:
    shown = terminal(*BUSY)
    shown.until("busy", "running")
    shown.hang_up()
    assert swarm("show", "@last", "--json").json["status"] == "running"
    swarm("cancel", "@last")
    assert swarm("wait", "@last").code == 130


def test_a_message_written_in_the_editor(
    terminal: Opener, simulated: Swarm, swarm: Swarm, tmp_path: Path
) -> None:
    simulated("sim: say first")
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf 'sim: say from the editor' > \"$1\"\n")
    editor.chmod(0o755)
    shown = terminal("resume", "@last", EDITOR=str(editor))
    assert shown.end() == 0
    assert "from the editor" in swarm("logs", "@last").out


def test_a_failure_is_one_panel(terminal: Opener) -> None:
    shown = terminal("run", "--empty", "--agent", "simulated", "sim: fail quota")
    assert shown.end() == 1
    assert "╭─ QUOTA_EXCEEDED ─" in shown.text
    assert shown.text.count("The account's quota is used up") == 1


def test_a_user_error_is_one_panel(terminal: Opener) -> None:
    shown = terminal("show", "[bold]nobody")
    assert shown.end() == 3
    assert "╭─ RUN_NOT_FOUND ─" in shown.text
    assert "There is no run `[bold]nobody`." in shown.text


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (["--no-color"], {}),
        ([], {"NO_COLOR": "1"}),
        ([], {"TERM": "dumb"}),
    ],
)
def test_without_colours(
    terminal: Opener, simulated: Swarm, words: list[str], env: dict[str, str]
) -> None:
    simulated("sim: say x")
    plain = terminal("ls", *words, **env)
    assert plain.end() == 0
    assert b"\x1b" not in plain.raw
    assert b"\x1b[" in (coloured := terminal("ls")).raw or coloured.end() == 0
    assert b"\x1b[32msucceeded" in coloured.raw


def test_a_dumb_terminal_gets_plain_lines(terminal: Opener) -> None:
    shown = terminal("run", "--empty", "--agent", "simulated", "sim: say x", TERM="dumb")
    assert shown.end() == 0
    assert b"\x1b" not in shown.raw


def test_long_titles_are_cut_at_the_edge(terminal: Opener, simulated: Swarm) -> None:
    simulated("sim: say x", "--title", "🐝" * 60)
    shown = terminal("ls")
    assert shown.end() == 0
    assert len(shown.text.splitlines()) == 2
    assert shown.text.endswith("…")


def test_several_runs_are_a_line_each(terminal: Opener, simulated: Swarm, swarm: Swarm) -> None:
    simulated("One\nsim: say red")
    simulated("Two\nsim: say blue")
    shown = terminal("watch", *(run["id"] for run in swarm("ls", "--json").json))
    assert shown.end() == 0
    assert "One" in shown.text
    assert "Two" in shown.text
    assert shown.text.count("succeeded after") == 2


@pytest.mark.parametrize(
    ("key", "code", "said"), [(b"t", 0, "watered"), (b"w", 0, ""), (b"\r", 3, "")]
)
def test_a_repositorys_settings_are_asked_about(
    here: Path, swarm: Swarm, terminal: Opener, key: bytes, code: int, said: str
) -> None:
    (here / ".swarm").mkdir()
    (here / ".swarm" / "config.yaml").write_text("workspace: {setup: [echo watered]}")
    shown = terminal("run", "--agent", "simulated", "--copy", str(here), "sim: say hello")
    shown.until("It", "  runs echo watered", "outside Codex's sandbox.", "or stop (Enter)?")
    shown.type(key)
    assert shown.end() == code
    assert (code == 3) == ("SETUP_NOT_TRUSTED" in shown.text)
    assert said in swarm("logs", "@last", "--setup").out
