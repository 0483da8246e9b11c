"""The guided tour of `demo` on a terminal."""

from __future__ import annotations

from pathlib import Path

from pseudo import Opener


def test_the_hint_advances_with_the_user_and_the_demo_stays(
    terminal: Opener, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    shown = terminal("demo", TMPDIR=str(temporary))
    shown.until("These runs are simulated", "4 running")
    shown.type(b"gj")
    shown.until_not("These runs are simulated")
    shown.until("▸ ")
    shown.type(b"q")
    shown.until("end with this window")
    shown.type(b"q")
    assert shown.end() == 0
    assert list(temporary.glob("swarm-tui-*")) == []
