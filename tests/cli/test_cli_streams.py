"""Standard streams that are closed, full or left: what was asked is done, and told where it can."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from typed import COMMAND, PATIENCE_S, Result, Swarm


@pytest.fixture
def shell(here: Path):
    """Run a command with its streams turned elsewhere by a shell."""

    def run(words: str, redirection: str) -> Result:
        line = f"set -o pipefail; {' '.join(COMMAND)} {words} {redirection}"
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, cwd=here, timeout=PATIENCE_S
        )
        return Result(done)

    return run


RUN = "run --empty --agent simulated 'sim: say x'"


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_streams_stop_nothing(shell, swarm: Swarm, closed: str) -> None:
    done = shell(RUN, closed)
    assert (done.code, done.err) == (0, "")
    assert swarm("show", "@last", "--json").json["status"] == "succeeded"
    assert shell("ls --json", closed).code == 0
    assert shell("show nobody", closed).code == 3
    assert swarm("logs", "@last").code == 0  # nothing was printed into the database


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize("words", ["ls --json", "--help"])
def test_a_full_disk_is_told_on_stderr(shell, words: str) -> None:
    done = shell(words, ">/dev/full")
    assert (done.code, done.out) == (3, "")
    assert done.err.splitlines()[0] == "Error: The disk is full."
    assert "DISK_FULL" in done.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_what_cannot_be_told_stops_nothing(shell, swarm: Swarm) -> None:
    assert shell("show nobody", "2>/dev/full").code == 3
    assert shell("ls --statsu", "2>/dev/full").code == 2
    assert shell(RUN, ">/dev/full").code == 3
    assert swarm("wait", "@last").code == 0  # the run went on


@pytest.mark.parametrize("words", ["ls --json", "completion zsh"])
def test_a_reader_that_never_reads(shell, words: str) -> None:
    done = shell(words, "| true")
    assert (done.err, done.out) == ("", "")
    assert done.code in (0, 141)  # it may have been quicker than its reader
