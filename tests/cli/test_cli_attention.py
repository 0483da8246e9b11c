"""The bell and the desktop's notifications, as a terminal gets them."""

from __future__ import annotations

import pytest
from pseudo import Opener
from typed import Swarm

from engine.paths import Paths

TITLE = "Mend \x1b]52;c;QQ==\x07 it"


@pytest.mark.parametrize(
    ("env", "settings", "sent"),
    [
        ({"TERM_PROGRAM": "iTerm.app"}, "{}", b"\x07\x1b]9;swarm-tui: Mend  it: failed\x07"),
        ({"TERM": "linux", "TERM_PROGRAM": ""}, "{}", b"\x07"),
        ({"TERM_PROGRAM": "iTerm.app"}, "notify: {bell: false}", b""),
    ],
)
def test_a_run_that_failed_rings(
    terminal: Opener, swarm: Swarm, paths: Paths, env: dict[str, str], settings: str, sent: bytes
) -> None:
    paths.config.write_text(settings)
    shown = terminal(TMUX="", VTE_VERSION="", **env)
    shown.until("No runs yet")
    words = ("run", "--empty", "--agent", "simulated", "--detach", "--title", TITLE)
    assert swarm(*words, "sim: fail quota").code == 0
    shown.until("needs you", "QUOTA")
    shown.type(b"q")
    assert shown.end() == 0
    told = b"]9;" in shown.raw
    assert (sent in shown.raw) and b"]52;" not in shown.raw
    assert told == (b"]9;" in sent)
    assert (b"\x07" in shown.raw) == bool(sent)
