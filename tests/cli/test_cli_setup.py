"""Set-up on the command line: trust, its log, the settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from typed import Swarm

from engine.config.paths import Paths


@pytest.fixture
def garden(here: Path) -> Path:
    """The folder where commands are typed, with settings of its own."""
    (here / ".swarm").mkdir()
    (here / ".swarm" / "config.yaml").write_text("workspace: {setup: [echo watered]}")
    return here


SIMULATED = ("run", "--agent", "simulated", "sim: say hello")


@pytest.mark.usefixtures("garden")
def test_without_a_terminal_trust_is_given_on_the_line(swarm: Swarm) -> None:
    refused = swarm(*SIMULATED)
    assert refused.code == 3
    assert "SETUP_NOT_TRUSTED" in refused.err and "--trust" in refused.err
    assert "echo watered" in refused.err
    assert swarm("ls", "--json").json == []
    assert swarm(*SIMULATED, "--json").json["error"]["code"] == "SETUP_NOT_TRUSTED"
    assert swarm(*SIMULATED, "--trust").code == 0
    assert swarm("logs", "@last", "--setup").out == "$ echo watered\nwatered\n"
    assert swarm("logs", "@last", "--setup", "--follow").out == "$ echo watered\nwatered\n"
    # Once given it holds.
    assert swarm(*SIMULATED).code == 0
    assert "set-up: echo watered" in swarm("logs", "@last", "--all").out
    assert swarm(*SIMULATED, "--no-setup").code == 0
    none = swarm("logs", "@last", "--setup")
    assert (none.code, none.out) == (3, "")
    assert swarm("logs", "@last", "--setup", "--raw").code == 2


@pytest.mark.usefixtures("garden")
def test_a_run_in_the_background_is_set_up_too(swarm: Swarm) -> None:
    started = swarm(*SIMULATED, "--detach", "--trust")
    assert started.code == 0
    assert swarm("wait", started.out.strip()).code == 0
    assert "watered" in swarm("logs", "@last", "--setup").out


def test_the_settings_are_shown_found_and_checked(swarm: Swarm, paths: Paths) -> None:
    assert swarm("config", "path").out == f"{paths.config}\n"
    assert "is not there" in swarm("config", "check").out
    paths.config.write_text("workspace: {setup: [npm ci], setup_limit: 90m}\n")
    assert swarm("config", "check").out == f"{paths.config} can be used\n"
    shown = swarm("config").out
    assert "setup_limit: 90m" in shown and "copy_limit: 2GiB" in shown
    found = swarm("config", "show", "--json").json
    assert found["workspace"]["setup"] == ["npm ci"]
    assert (found["workspace"]["setup_limit"], found["workspace"]["copy_limit"]) == (5400, 2 << 30)
    paths.config.write_text(shown)
    assert swarm("config", "show", "--json").json == found
    paths.config.write_text("slotz: 3\n")
    wrong = swarm("config", "check")
    assert wrong.code == 3
    assert f"{paths.config}:1" in wrong.err and "Did you mean `slots`?" in wrong.err
    assert swarm("config", "path").code == 0
    assert "Did you mean 'show'?" in swarm("config", "shwo").err


def test_variables_of_a_run(swarm: Swarm, paths: Paths) -> None:
    paths.config.write_text("workspace: {env: {SET: secret-1}}\n")
    check = ("--verify", 'test "$ASKED$SET" = "x=y secret-1"', "--env", "ASKED=x=y ")
    done = swarm(*SIMULATED, *check, "--json")
    assert done.code == 0
    for words in (("config",), ("config", "--json"), ("show", "@last", "--json"), ("ls", "--json")):
        assert "secret-1" not in swarm(*words).out and "x=y " not in swarm(*words).out.replace(
            check[1], ""
        )
    for wrong in ("ASKED", "SWARM_RUN=1", "GIT_DIR=x", "A B=1"):
        refused = swarm(*SIMULATED, "--env", wrong)
        assert refused.code == 2 and "'--env'" in refused.err
