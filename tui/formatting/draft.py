"""Formatting of a draft: the run it will start, as a sentence and as a command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from engine.config.run_options import BY_NAME, FILE_OPTIONS
from engine.domain.model import Agent, Sandbox, WorkspaceKind
from engine.domain.text import printable
from tui.formatting.options import written
from tui.formatting.symbols import sign
from tui.models.draft import SOURCE, Draft
from tui.models.fields import FIELDS
from tui.models.named_paths import absolute
from tui.models.run_defaults import default_title
from tui.terminal.cells import clean, crop

if TYPE_CHECKING:
    from engine.config.settings import Config
    from engine.engine import RenderedTemplate, SourceInfo, Template

FOLDER_WIDTH = 60
CHECK_WIDTH = 40
PREVIEW_LINES = 200


def template(draft: Draft, known: Template | None) -> tuple[str, str, str]:
    """Return the template's name, its purpose or its problem, and the style of that."""
    if not draft.template:
        return "none", "a prompt of your own; ctrl+g chooses one", "$secondary"
    if known is None or known.problem:
        return draft.template, "cannot be used" if known else "…", "$text-error"
    return draft.template, (known.keys.description or "").strip(), "$secondary"


def hints(
    draft: Draft, config: Config, known: Template | None, filled: RenderedTemplate | None
) -> dict[str, str]:
    """Return the placeholders of empty fields: values of the template, the settings or Codex."""
    keys = known.keys if known else None
    title = (filled and filled.title) or (known and known.name) or default_title(draft.prompt)
    said = {option.name: written(option, keys) for option in FILE_OPTIONS} if keys else {}
    said["title"] = title
    said["verify"] = (filled and filled.verify) or ""
    said["model"] = said.get("model") or config.codex.model or ""
    return {each.name: clean(said.get(each.name) or each.hint, 200) for each in FIELDS}


def preview(filled: RenderedTemplate | None) -> Content:
    """Write the prompt that a template comes to."""
    if filled is None:
        return Content("")
    lines = [clean(line, 400) for line in filled.prompt.splitlines()[:PREVIEW_LINES]]
    return Content("\n".join(lines))


def branch(draft: Draft, source: SourceInfo | None) -> Content:
    """Return the source's branch and the amount of its uncommitted work."""
    if source is None or draft.kind in (WorkspaceKind.EMPTY, WorkspaceKind.FROM_RUN):
        return Content("")
    on = f"on {crop(clean(source.branch), 30)}" if source.branch else "on no branch"
    return Content.assemble(on, " · ", _uncommitted(source))


def _uncommitted(source: SourceInfo) -> Content:
    if not source.uncommitted:
        return Content("all committed")
    named = ", ".join(crop(clean(name), 30) for name in source.some)
    more = source.uncommitted - len(source.some)
    some = f"{named} and {more} more" if more else named
    count = f"{source.uncommitted} file{'' if source.uncommitted == 1 else 's'}"
    return Content.assemble((count, "$warning"), f": {some}")


def fold(draft: Draft, *, is_open: bool) -> Content:
    """Write the line that unfolds the options, with what is set there."""
    arrow = sign("▾", "v") if is_open else sign("▸", ">")
    used = [each for each in FIELDS if draft.text(each) and draft.applies(each)]
    parts = [f"{each.label.lower()} {draft.text(each)}" for each in used]
    if draft.sandbox:
        parts.insert(0, draft.sandbox.value)
    told = "" if is_open else clean(" · ".join(parts), 200)
    return Content.assemble((f"{arrow} Options", "$secondary"), "  ", (told, "$foreground"))


def does(
    draft: Draft, source: SourceInfo | None, filled: RenderedTemplate | None = None
) -> Content:
    """Return a description of the run in words."""
    who = "The simulated agent" if draft.agent is Agent.SIMULATED else "Codex"
    folder = crop(clean(absolute(draft.folder)), FOLDER_WIDTH)
    base = draft.text(BY_NAME["base"]) or (source.branch if source else "")
    start = f" of {clean(base, 40)}" if base else ""
    left = " without what is uncommitted there" if source and source.uncommitted else ""
    if draft.include_uncommitted:
        left = " with what is uncommitted there" if left else ""
    where = {
        WorkspaceKind.WORKTREE: f"in a new git worktree{start}, from {folder}{left}",
        WorkspaceKind.COPY: f"in a copy of {folder}, which stays as it is",
        WorkspaceKind.EMPTY: "in a new, empty folder",
        WorkspaceKind.FROM_RUN: f"in a copy of the workspace of {clean(draft.earlier, 40)}",
        WorkspaceKind.IN_PLACE: f"in {folder} itself: your files change",
    }[draft.kind]
    parts = [f"{who} works {where}."]
    if draft.sandbox is Sandbox.DANGER_FULL_ACCESS:
        parts.append("Its commands may do anything you may.")
    look = "$warning" if len(parts) > 1 or draft.kind is WorkspaceKind.IN_PLACE else "$secondary"
    verify = draft.text(BY_NAME["verify"])
    if check := verify or (filled and filled.verify):
        parts.append(f"Then `{crop(clean(check), CHECK_WIDTH)}` decides, run by you.")
    return Content.styled(" ".join(parts), look)


def command(draft: Draft) -> str:
    """Write the command line that would do the same, where there is one."""
    if not (draft.prompt.strip() or draft.template) or next(
        (id for id, _ in draft.problems(0) if id == SOURCE), None
    ):
        return ""
    return draft.command_line()


def wrong(problems: Sequence[str], room: int) -> Content:
    """Write what is wrong, a line each; where there is no room for all, how many more there are."""
    told = problems if len(problems) <= room else problems[: room - 1]
    lines = [printable(each) for each in told]
    if more := len(problems) - len(told):
        lines.append(f"and {more} more")
    return Content("\n".join(lines))
