"""`--json` of every command, held against the shapes from which docs/schemas.json is written."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from typed import ROOT, Swarm

from engine.domain.events import Event, LimitsSeen, event_json
from engine.domain.model import LimitWindow
from tui.cli import json as shapes
from tui.cli.main import group

SHAPES = {**shapes.DOCUMENTS, **shapes.LINES}


def _fits(value: Any, shape: Any) -> None:
    msgspec.convert(value, shape, strict=True)


def test_every_command_with_json_has_a_shape() -> None:
    commands = dict(_commands(group, ""))
    having = {
        words
        for words, each in commands.items()
        if any("--json" in one.opts for one in each.params)
    }
    assert having == {_command_in(words, commands) for words in SHAPES}


def _commands(of: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield all commands below a group, each by its words."""
    context = click.Context(of)
    for word in of.list_commands(context):
        command = of.get_command(context, word)
        assert command
        words = f"{name} {word}".strip()
        yield words, command
        if isinstance(command, click.Group):
            yield from _commands(command, words)


def _command_in(text: str, commands: dict[str, click.Command]) -> str:
    """Return the words of a text that are a command; flags and actions may follow them."""
    words = text.split()
    ends = range(len(words), 0, -1)
    return next(name for end in ends if (name := " ".join(words[:end])) in commands)


def test_the_schemas_are_whole() -> None:
    told = json.loads((ROOT / "docs/schemas.json").read_text("utf-8"))
    assert told["commands"].keys() == SHAPES.keys()
    named = json.dumps(told).split('"#/$defs/')[1:]
    assert {one.split('"')[0] for one in named} <= told["$defs"].keys()


def test_a_limit_without_a_reset() -> None:
    """The plan's windows do not always say when they are over."""
    event = Event("a", 1, 0.0, 1, LimitsSeen((LimitWindow("primary", 5.0),)))
    _fits(event_json(event), shapes.Event)


@pytest.fixture
def repository(here: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=here, check=True)

    git("init", "-q", "-b", "main")
    (here / "tree.txt").write_text("oak\n")
    git("add", ".")
    git("-c", "user.name=me", "-c", "user.email=me@localhost", "commit", "-qm", "first")


SCRIPT = """Everything there is
sim: think **Plan** it
sim: plan A | B
sim: command "make it" takes=0 output=done
sim: command "fail it" takes=0 exit=2
sim: write tree.txt elm\\n
sim: write 'ne\\x1bw.txt' x
sim: search words
sim: mcp server tool
sim: limits primary=42 window=300 resets_in=60 secondary=7
sim: unknown
sim: warning careful
sim: usage input=10 output=2
sim: say done
"""


@pytest.mark.usefixtures("repository")
def test_what_the_commands_print_has_its_shape(swarm: Swarm) -> None:
    events = swarm("run", "--agent", "simulated", "--json", SCRIPT)
    assert (events.code, events.err) == (0, "")
    for event in events.events:
        _fits(event, shapes.Event)
    kinds = {event["type"] for event in events.events}
    assert kinds >= {"status", "progress", "step", "plan", "changes", "usage", "limits", "notice"}
    said = {
        "ls": [],
        "show": ["@last"],
        "search": ["elm"],
        "wait": ["@last"],
        "slots": [],
        "files": ["@last"],
        "artifacts": ["@last"],
        "diff": ["@last"],
        "restore": ["@last"],
        "apply": ["@last"],
        "watch": ["@last"],
        "logs": ["@last"],
        "tag": ["@last", "bug"],
        "note": ["@last", "text"],
        "comment": ["@last", "tree.txt:1", "text"],
        "comments": ["@last"],
        "reviewed": ["@last"],
        "dismiss": ["@last"],
        "undismiss": ["@last"],
        "archive": ["@last"],
        "unarchive": ["@last"],
        "pause": [],
        "resume --detach": ["@last", "sim: say more"],
        "cancel": ["--all"],
        "unpause": [],
    }
    for name, words in said.items():
        done = swarm(*name.split(), *words, "--json")
        assert (done.code, done.err) == (0, ""), name
        if name in shapes.DOCUMENTS:
            assert done.json, name
            _fits(done.json, SHAPES[name])
        else:
            assert done.events, name
            for line in done.events:
                _fits(line, SHAPES[name])
    _fits(swarm("restore", "@last", "--checkpoint", "0", "--json").json, shapes.RestoredJson)
    assert not swarm("diff", "@last", "--json").json["changes"]


def test_disk_usage_and_cleanup_have_their_shape(swarm: Swarm) -> None:
    script = "sim: write work.txt work"
    assert swarm("run", "--empty", "--agent", "simulated", script).code == 0
    _fits(swarm("du", "--json").json, shapes.DiskUsageJson)
    _fits(swarm("cleanup", "--dry-run", "--json").json, shapes.CleanupJson)
    done = swarm("cleanup", "@last", "--force", "--including-unsaved", "--json").json
    _fits(done, shapes.CleanupJson)
    assert done["cleaned"]
    shown = swarm("show", "@last", "--json").json
    assert shown["workspace"]["in_trash"]
    _fits(swarm("cleanup", "--undo", "@last", "--json").json, shapes.BroughtBackJson)
    _fits(swarm("cleanup", "--empty-trash", "--dry-run", "--json").json, shapes.EmptiedJson)


def test_doctor_has_its_shape(swarm: Swarm) -> None:
    done = swarm("doctor", "--json", "--end-orphans", "--codex-bin", "/nowhere")
    _fits(done.json, shapes.DiagnosisJson)
    assert (done.code, done.err) == (1, "")


ON_A_RUN = [
    ["show"],
    ["watch"],
    ["wait"],
    ["logs"],
    ["logs", "--follow"],
    ["cancel"],
    ["retry"],
    ["retry", "--detach"],
    ["resume", "--detach", "{}", "go on"],
    ["files"],
    ["artifacts"],
    ["diff"],
    ["diff", "--stat"],
    ["apply"],
    ["restore"],
    ["comment", "{}", "a:1", "x"],
    ["comments"],
    ["comments", "{}", "--remove", "1"],
    ["reviewed"],
    ["reviewed", "{}", "a", "--mark"],
    ["resume", "--detach", "--comments"],
    ["push"],
    ["pr"],
    ["dismiss"],
    ["undismiss"],
    ["archive"],
    ["unarchive"],
    ["tag", "{}", "x"],
    ["note", "{}", "x"],
    ["run", "--empty", "--agent", "simulated", "--after", "{}", "x"],
    ["run", "--agent", "simulated", "--from-run", "{}", "x"],
]


@pytest.mark.parametrize("words", ON_A_RUN, ids=" ".join)
def test_a_run_that_is_not_there(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    from tui.cli.main import run

    words = [one.format("nobody") for one in words] if "{}" in words else [*words, "nobody"]
    assert run(words) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "Error: There is no run `nobody`."
    assert err.splitlines()[-1].startswith("RUN_NOT_FOUND · ")
    assert run([*words, "--json"]) == 3
    out, err = capsys.readouterr()
    assert err == ""
    _fits(json.loads(out), shapes.ErrorJson)
