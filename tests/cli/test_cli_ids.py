"""Runs named by the end of an id, and the examples of help and docs."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from pseudo import Opener
from typed import Swarm

from engine.store.ids import ALPHABET
from tui.cli.main import COMMANDS, group
from tui.cli.support.options import RunParam

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ids(simulated: Swarm, swarm: Swarm) -> list[str]:
    """The ids of two runs, the newest first."""
    simulated("First task\nsim: say x")
    simulated("Second task\nsim: say x")
    return swarm("ls", "-q").out.split()


def test_the_end_of_an_id_names_a_run(ids: list[str], swarm: Swarm) -> None:
    for id in ids:
        assert swarm("show", id[-4:], "--json").json["id"] == id
        assert swarm("logs", id[-4:]).code == 0
    assert swarm("show", ids[0], "--json").json["id"] == ids[0]


def test_an_ambiguous_name_lists_ids_and_titles(ids: list[str], swarm: Swarm) -> None:
    done = swarm("show", ids[0][:2])
    assert done.code == 3
    for id, title in zip(ids, ("Second task", "First task"), strict=True):
        assert f"{id} ({title})" in done.err
    assert "RUN_AMBIGUOUS" in done.err


def test_ls_highlights_the_end_that_is_enough(ids: list[str], terminal: Opener) -> None:
    shown = terminal("ls")
    assert shown.end() == 0
    for id in ids:
        found = re.search(rb"\x1b\[1m(\w+)\x1b\[0m", shown.raw[shown.raw.index(id[:4].encode()) :])
        assert found
        assert 3 <= len(found[1]) <= 5
        assert any(known.endswith(found[1].decode()) for known in ids)


def test_a_shell_completes_the_end_of_an_id(ids: list[str], swarm: Swarm) -> None:
    line = f"swarm-tui show {ids[0][-4:]}"
    done = swarm(COMP_LINE=line, COMP_POINT=str(len(line)), _SWARM_TUI_COMPLETE="bash_complete")
    assert ids[0] in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_ids_in_examples_can_exist(name: str) -> None:
    command = group.get_command(click.Context(group), name)
    assert command
    takes_runs = any(isinstance(one.type, RunParam) for one in command.params)
    for line in re.findall(rf"swarm-tui {name} (.*)", command.epilog or "") if takes_runs else ():
        for word in re.findall(r"(?<![\w@'-])[0-9a-z]*\d[0-9a-z]*(?![\w.])", line):
            if not re.fullmatch(r"\d+[a-z]?", word):
                assert re.fullmatch(f"[{ALPHABET}]{{3,10}}", word), line


def test_request_is_named_by_the_complete_id_of_its_run(ids: list[str], swarm: Swarm) -> None:
    for name in ("@last", ids[0][-4:], ids[0][:9], ids[0][:2]):
        done = swarm("deny" if name == "@last" else "approve", f"{name}:1:0")
        assert (done.code, "INPUT_INVALID" in done.err) == (3, True), (name, done.err)
        assert "RUN:ATTEMPT:NUMBER with the complete id" in done.err
    assert "REQUEST_NOT_PENDING" in swarm("approve", f"{ids[0]}:1:0").err
