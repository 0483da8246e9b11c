"""The message that asks an agent to resolve the conflicts of an update."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.domain.errors import UserError
from engine.domain.model import Run
from engine.domain.text import printable

if TYPE_CHECKING:
    from engine.workspaces.apply.update import UpdateResult
    from engine.workspaces.apply.upstream import NewerBase

DIFF_CHARACTERS = 12_000
DIFF_BYTES = 4 * 1024**2
COMMITS = 20

MESSAGE = """Your workspace was updated to the newest commit of {base} ({commits}). These files \
conflict with your changes:

{files}

Conflicts in text have the usual markers: after `<<<<<<<` your lines, after `|||||||` the lines \
before, after `=======` those of {base}, up to `>>>>>>>`. Other files are as you left them. \
Resolve each conflict so that both changes keep their purpose, remove all markers, and check that \
the whole still works. Leave everything else as it is."""


async def conflict_message(run: Run, done: UpdateResult) -> str:
    """Return the message for the conflicts of an update, or for those left of an earlier one."""
    assert run.updated
    reasons = {one.path: one.why for one in done.conflicts}
    listed = [f"- {name}{_why(reasons.get(name))}" for name in run.updated.conflicts]
    count = run.updated.commits
    commits = "1 commit" if count == 1 else f"{count} commits"
    text = MESSAGE.format(base=run.updated.base, commits=commits, files="\n".join(listed))
    return text + await _upstream(done.newer, run.updated.old, run.updated.new, [*reasons])


def _why(reason: str | None) -> str:
    return f" ({reason})" if reason else ""


async def _upstream(newer: NewerBase, old: str, new: str, paths: list[str]) -> str:
    """Return what the base changed in these files: commits and diff, as far as they fit."""
    if not paths:
        return ""
    names = [newer.prefix + os.fsencode(path) for path in paths]
    git = newer.repository.git
    diff = ("diff-tree", "-p", "--no-ext-diff", "--no-textconv", "--no-color", old, new, "--")
    try:
        log = ("log", f"-{COMMITS}", "--no-show-signature", "--format=%h %s", f"{old}..{new}", "--")
        subjects = (await git.run(*log, *names)).decode("utf-8", "replace").strip()
        out = await git.run(*diff, *names, limit_bytes=DIFF_BYTES)
    except UserError:  # it is only an addition
        return ""
    shown = printable(out.decode("utf-8", "replace"))
    more = "\n[the rest is left out]" if len(shown) > DIFF_CHARACTERS else ""
    text = f"\n\nThe commits of {newer.name} that changed them:\n\n{printable(subjects)}"
    return f"{text}\n\nTheir changes:\n\n{shown[:DIFF_CHARACTERS].rstrip()}{more}"
