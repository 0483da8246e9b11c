"""Every key of the dashboard that acts on runs, the queue or the disk has a twin to be typed."""

from __future__ import annotations

import click
import pytest

from tui.cli.main import COMMANDS, group
from tui.commands import BY_ID, GROUPS

TWINS = {
    "run.new": "run",
    "run.open": "watch",
    "run.cancel": "cancel",
    "run.kill": "cancel --kill",
    "run.start": "queue",
    "run.retry": "retry",
    "run.edit": "retry --prompt",
    "run.resume": "resume",
    "run.fresh": "retry --fresh",
    "run.apply": "apply",
    "run.delete": "cleanup",
    "run.undo": "cleanup --undo",
    "run.dismiss": "dismiss",
    "run.archive": "archive",
    "run.tags": "tag",
    "run.note": "note",
    "run.update": "update",
    "changes.update": "update",
    "run.fork": "fork",
    "run.forget": "forget",
    "run.copy_id": "ls --quiet",
    "view.log": "logs",
    "view.files": "files",
    "view.changes": "diff",
    "view.details": "show",
    "changes.comment": "comment",
    "changes.comments": "comments",
    "changes.resume": "resume --comments",
    "changes.reviewed": "reviewed --mark",
    "changes.since": "diff --since",
    "changes.apply": "apply",
    "changes.apply_as": "apply --as",
    "changes.reject": "cleanup",
    "changes.dismiss": "dismiss",
    "changes.archive": "archive",
    "changes.undo": "apply --undo",
    "changes.whole": "get",
    "changes.tags": "tag",
    "changes.note": "note",
    "changes.fork": "fork",
    "changes.forget": "forget",
    "log.search": "search",
    "queue.pause": "pause",
    "queue.more": "slots",
    "queue.fewer": "slots",
    "disk.delete": "cleanup",
    "disk.artefacts": "cleanup --artefacts-only",
    "disk.undo": "cleanup --undo",
    "disk.empty": "cleanup --empty-trash",
    "disk.look": "du",
    "templates.start": "run --template",
    "templates.new": "templates",
    "doctor.look": "doctor",
    "doctor.end": "doctor --end-orphans",
    "screen.runs": "ls",
    "screen.disk": "du",
    "screen.templates": "templates",
    "screen.find": "search",
    "screen.doctor": "doctor",
    "screen.usage": "usage",
    "usage.group": "usage --by",
    "usage.range": "usage --since",
    "usage.look": "usage",
    "batch.new": "batch start",
    "batch.apply": "apply",
    "batch.apply_best": "batch apply",
    "batch.compare": "batch compare",
    "run.compare": "compare",
    "compare.diff": "diff --against",
    "compare.apply": "apply",
    "batch.drop": "batch drop",
    "batch.retry": "batch retry",
    "batch.cancel": "batch cancel",
    "batch.export": "batch report",
    "run.message": "send",
    "run.interrupt": "interrupt",
    "app.codex": "codex",
    "run.push": "push",
    "changes.push": "push",
    "form.start": "run",
    "form.learn": "run --learn-from",
}
ACTING = ("Runs", "Queue")
"""The groups of which every command has to be named above."""


@pytest.mark.parametrize("command_id", TWINS)
def test_the_twin_of_a_key_is_there(command_id: str) -> None:
    assert command_id in BY_ID
    name, *words = TWINS[command_id].split()
    assert name in COMMANDS
    context = click.Context(group)
    command = group.get_command(context, name)
    for word in words:
        if word.startswith("--"):
            assert command
            assert word in [flag for each in command.params for flag in each.opts]
        else:
            assert isinstance(command, click.Group)
            command = command.get_command(context, word)
    assert command


LOOKING = frozenset({
    "changes.open", "changes.hunk", "changes.hunk_before", "changes.run", "changes.run_before",
    "changes.search", "changes.tree", "changes.file", "changes.file_before", "changes.beside",
    "changes.range", "changes.message", "changes.pane", "changes.pane_before", "changes.zoom",
    "changes.turn",
})  # fmt: skip
"""Keys of the review that only move, or show the same in another way."""


def test_every_key_of_the_review_has_a_twin_or_only_moves() -> None:
    keys = [each.id for each in GROUPS["Changes and files"] if each.id.startswith("changes.")]
    assert [id for id in keys if id not in TWINS and id not in LOOKING] == []


@pytest.mark.parametrize("name", ACTING)
def test_no_key_that_acts_is_without_a_twin(name: str) -> None:
    assert [each.id for each in GROUPS[name] if each.id not in TWINS] == []
