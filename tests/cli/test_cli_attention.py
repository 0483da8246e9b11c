"""The bell and the desktop's notifications, as a terminal gets them."""

from __future__ import annotations

import re

import pytest
from pseudo import Opener
from typed import Swarm

from engine.config.paths import Paths

TITLE = "Mend \x1b]52;c;QQ==\x07 it"


TOLD = b"\x1b]9;swarm-tui: Mend it: failed\x07"


@pytest.mark.parametrize(
    ("env", "settings", "is_told", "rings"),
    [
        ({"TERM_PROGRAM": "iTerm.app"}, "{}", True, True),
        ({"TERM": "linux", "TERM_PROGRAM": ""}, "{}", False, True),
        ({"TERM_PROGRAM": "iTerm.app"}, "notify: {bell: false}", False, False),
    ],
)
def test_a_run_that_failed_rings(
    terminal: Opener,
    swarm: Swarm,
    paths: Paths,
    env: dict[str, str],
    settings: str,
    is_told: bool,
    rings: bool,
) -> None:
    paths.config.write_text(settings)
    shown = terminal(TMUX="", VTE_VERSION="", STY="", **env)
    shown.until("No runs yet")
    words = ("run", "--empty", "--agent", "simulated", "--detach", "--title", TITLE)
    assert swarm(*words, "sim: fail quota").code == 0
    shown.until("1 needs you")
    shown.type(b"q")
    assert shown.end() == 0
    assert (TOLD in shown.raw) == is_told
    without_sequences = re.sub(rb"\x1b\][^\x07\x1b]*\x07", b"", shown.raw)
    assert (b"\x07" in without_sequences) == rings
    assert b"]52;" not in shown.raw
