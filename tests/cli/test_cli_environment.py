"""Environments in which little is as usual: a command works, or says in one error why it cannot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pseudo import Terminal
from typed import COMMAND, Swarm

RUN = ("run", "--empty", "--agent", "simulated", "sim: say x")


@pytest.mark.parametrize(
    ("missing", "env"),
    [
        ("HOME", {}),
        ("TERM", {}),
        ("TERM", {"TERM": "dumb"}),
        ("PWD", {"NO_COLOR": "1"}),
        ("SWARM_HOME", {"XDG_DATA_HOME": "a b\nc"}),
    ],
    ids=["no HOME", "no TERM", "dumb", "no colour", "home with a space and a newline"],
)
def test_command_works_in_an_odd_environment(
    swarm: Swarm, here: Path, monkeypatch: pytest.MonkeyPatch, missing: str, env: dict[str, str]
) -> None:
    monkeypatch.delenv(missing, raising=False)
    changed = {name: str(here / value) if "\n" in value else value for name, value in env.items()}
    done = swarm(*RUN, **changed)
    assert (done.code, done.err) == (0, "")
    assert "succeeded" in done.out
    assert "\x1b" not in done.out
    assert len([line for line in done.out.splitlines() if line.startswith("  workspace: /")]) == 1
    assert not any(line.startswith("c/") for line in done.out.splitlines())
    assert swarm("show", "@last", "--json", **changed).json["status"] == "succeeded"


@pytest.mark.parametrize("name", ["SWARM_HOME", "XDG_DATA_HOME"])
def test_home_that_is_not_utf8_is_one_error(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch, here: Path, name: str
) -> None:
    monkeypatch.delenv("SWARM_HOME")
    done = swarm("ls", **{name: os.fsdecode(os.fsencode(here) + b"/a\xff")})
    assert (done.code, done.out, len(done.err.splitlines())) == (3, "", 3)
    assert "has a path that is not UTF-8" in done.err


@pytest.mark.parametrize(
    ("kind", "wanted"), [("-u TERM", "n new"), ("TERM=dumb", "NOT_A_TERMINAL")], ids=["no", "dumb"]
)
def test_dashboard_on_a_terminal_of_no_known_kind_works_or_says_why(
    here: Path, kind: str, wanted: str
) -> None:
    shown = Terminal(here, (), {}, ["/usr/bin/env", *kind.split(), *COMMAND])
    try:
        shown.until(wanted)
        shown.type(b"q")
        assert shown.end() == (0 if wanted == "n new" else 3)
    finally:
        shown.close()


def test_serve_needs_no_standard_input(here: Path) -> None:
    served = Terminal(
        here, (), {}, ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *COMMAND, "serve", "--port", "0"]
    )
    try:
        served.until("The dashboard: http://127.")
        served.type(b"\x03")
        served.end()
    finally:
        served.close()
