"""Completion of arguments that mean one thing or another, by the word before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Offers = list["CompletionItem[str]"]


def bases(ctx: click.Context, _: click.Parameter, typed: str) -> Offers:
    """Offer the branches and tags of the repository."""
    from tui.cli.support import completion

    return completion.bases(ctx.params.get("worktree") or ".", typed)


def subfolders(ctx: click.Context, _: click.Parameter, typed: str) -> Offers:
    """Offer the folders of the repository, or of the folder that is copied or worked in."""
    from tui.cli.support import completion

    given = (ctx.params.get(name) for name in ("copy", "in_place", "worktree"))
    return completion.subfolders(next(filter(None, given), "."), typed)


def lessons(_: click.Context, __: click.Parameter, typed: str) -> Offers:
    """Offer what can be learned from: patterns, and the runs that succeeded."""
    from engine.domain.model import Status
    from tui.cli.support import completion

    return [
        *completion.patterns(typed),
        *completion.runs(typed, (), lambda run: run.status is Status.SUCCEEDED),
    ]


def machines(_: click.Context, __: click.Parameter, typed: str) -> Offers:
    """Offer the machines that are known without a connection to the cluster."""
    from click.shell_completion import CompletionItem

    from engine.domain.model import ANY_NODE, LOCAL

    return [CompletionItem(name) for name in (ANY_NODE, LOCAL) if name.startswith(typed)]


def pattern_or_file(ctx: click.Context, _: click.Parameter, typed: str) -> Offers:
    """Offer patterns, or files where one is imported."""
    from click.shell_completion import CompletionItem

    from tui.cli.support import completion

    what = ctx.params.get("what")
    if what == "import":
        return [CompletionItem(typed, type="file")]
    return [] if what in ("list", "undo") else completion.patterns(typed)


def template_or_file(ctx: click.Context, _: click.Parameter, typed: str) -> Offers:
    """Offer templates; to be checked, also files."""
    from click.shell_completion import CompletionItem

    from tui.cli.support import completion

    what = ctx.params.get("what")
    known = completion.templates(typed) if what in ("show", "check") else []
    return [*known, CompletionItem(typed, type="file")] if what == "check" else known


def tags(ctx: click.Context, _: click.Parameter, typed: str) -> Offers:
    """Offer the tags of all runs; to be removed, those of the run named before."""
    from tui.cli.support import completion

    given: tuple[str, ...] = ctx.params.get("names") or ()
    of_run = ctx.params.get("run") if ctx.params.get("remove") else None
    return [one for one in completion.tags(typed, of_run) if one.value not in given]


def accounts(_: click.Context, __: click.Parameter, typed: str) -> Offers:
    """Offer the accounts of the settings."""
    from tui.cli.support import completion

    return completion.accounts(typed)


def filter_terms(ctx: click.Context, _: click.Parameter, typed: str) -> Offers:
    """Offer the terms of the filter of runs, and the values of a field."""
    from tui.cli.support import completion

    return completion.filter_terms(typed)


def receivers(ctx: click.Context, _: click.Parameter, typed: str) -> Offers:
    """Offer the receivers that are not on the line yet."""
    from tui.cli.support import completion

    taken: tuple[str, ...] = ctx.params.get("names") or ()
    if ctx.params.get("what") == "list":
        return []
    return [one for one in completion.receivers(typed) if one.value not in taken]


def rules(ctx: click.Context, _: click.Parameter, typed: str) -> Offers:
    """Offer the rules to remove that are not on the line yet."""
    from tui.cli.support import completion

    if ctx.params.get("action") != "remove":
        return []
    on_line: tuple[str, ...] = ctx.params.get("words") or ()
    return [one for one in completion.rules(typed) if one.value not in on_line]
