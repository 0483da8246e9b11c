"""`swarm-tui templates`: what runs can be started from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.domain.model import TemplateStats
from engine.domain.text import printable_name
from engine.system.files import expanded
from tui.cli.support import argument_completion, failure, output
from tui.cli.support.library_json import template_json
from tui.cli.support.named_paths import here
from tui.cli.support.options import (
    ChoiceParam,
    FolderParam,
    TextParam,
    everywhere,
    examples,
    json_option,
)

if TYPE_CHECKING:
    from engine.engine import Template
    from engine.ports.engine import EnginePort

ASKED = 12
"""Things to trust that are listed."""
WHAT = ("list", "show", "new", "check")


@click.command(
    epilog=examples(
        "templates",
        "templates show test -p path=src",
        "templates new tidy",
        "templates check .swarm/templates/tidy.yaml",
    )
)
@click.argument("what", type=ChoiceParam(WHAT), default="list", metavar="[WHAT]")
@click.argument(
    "names",
    nargs=-1,
    type=TextParam(),
    metavar="[NAME]...",
    shell_complete=argument_completion.template_or_file,
)
@click.option(
    "-p",
    "params",
    type=TextParam(),
    multiple=True,
    metavar="KEY=VALUE",
    help="Fill in a parameter (show).",
)
@click.option(
    "--repo",
    type=FolderParam(),
    metavar="DIR",
    help="Use templates of this repository.  [default: this one]",
)
@click.option("--in-repo", is_flag=True, help="Create the template in the repository.")
@click.option("--no-edit", is_flag=True, help="Create without opening the editor.")
@json_option("Print JSON: an array of templates, or one with show and new.")
@everywhere()
def templates(what: str, names: tuple[str, ...], as_json: bool, **asked: Any) -> int:  # noqa: ANN401  click passes options by name
    """List templates, show one filled in, create one, or check all or some files.

    Templates in .swarm/templates/ of the repository replace your own, and yours replace built-in
    ones. With check, the exit code is 1 if one is invalid.
    """
    from tui.cli.support import session

    if (what in ("show", "new")) != (len(names) == 1) and what != "check":
        raise click.UsageError(f"{what} takes {'one name' if what != 'list' else 'no name'}.")
    return session.start(_templates(what, names, asked, as_json=as_json))


async def _templates(
    what: str, names: Sequence[str], asked: dict[str, Any], *, as_json: bool
) -> int:
    from engine.domain.model import WorkspaceKind, WorkspaceSpec
    from tui.cli.support import session

    async with session.open_engine() as engine:
        source = str(here() / expanded(asked["repo"] or "."))
        place = WorkspaceSpec(WorkspaceKind.WORKTREE, source)
        root = engine.templates.repository_of(place)
        if what == "new":
            return await _new(engine, names[0], root, asked, as_json=as_json)
        if what == "show":
            return await _show(engine, names[0], root, pairs(asked["params"]), as_json=as_json)
        known = await engine.templates.all(root)
        if what == "check" and names:
            paths = [here() / expanded(name) for name in names]
            found = [
                known[name] if name in known else await engine.templates.check(path, root)
                for name, path in zip(names, paths, strict=True)
            ]
        else:
            found = list(known.values())
        achieved = await engine.templates.achieved()
    if as_json:
        output.say_json([template_json(each, achieved.get(each.name)) for each in found])
    elif what == "check":
        _tell_checked(found)
    else:
        _tell(found, achieved)
    return failure.EXIT_FAILED if what == "check" and any(it.problem for it in found) else 0


async def _show(
    engine: EnginePort, name: str, root: Path | None, given: dict[str, str], *, as_json: bool
) -> int:
    template = await engine.templates.find(name, root)
    if as_json:
        achieved = await engine.templates.achieved()
        output.say_json(template_json(template, achieved.get(name)))
        return 0
    lines = [f"{name}: {template.keys.description}", f"{printable_name(str(template.path))}", ""]
    for key, parameter in template.params.items():
        default = "needed" if parameter.default is None else f"default: {parameter.default!s}"
        kind = " or ".join(parameter.choices or ()) or parameter.kind
        lines.append(f"  -p {key}=…  {kind}; {default}; {parameter.help or ''}".rstrip("; "))
    missing = [k for k, v in template.params.items() if v.default is None and k not in given]
    if missing:
        lines += ["", (template.keys.prompt or "").rstrip()]
    else:
        filled = engine.templates.preview(template, given)
        lines += ["", filled.prompt]
        if filled.verify:
            lines += ["", f"then checked by: {filled.verify}"]
    lines += await _asked(engine, template)
    output.say("\n".join(lines))
    return 0


async def _asked(engine: EnginePort, template: Template) -> list[str]:
    """Return what has to be trusted before the template can be used, if anything."""
    from engine.domain.model import RunSpec
    from tui.cli.support import trust_prompt

    usual = RunSpec("", "", "", sandbox=engine.config.codex.sandbox)
    asked = await engine.templates.consent(template, usual, ())
    return ["", *trust_prompt.listed(asked, ASKED)] if asked else []


async def _new(
    engine: EnginePort, name: str, root: Path | None, asked: dict[str, Any], *, as_json: bool
) -> int:
    import sys

    folder = (root or here()) / ".swarm" / "templates" if asked["in_repo"] else None
    path = await engine.templates.new(name, folder)
    if as_json:
        output.say_json(template_json(await engine.templates.check(path, root), None))
        return 0
    output.say(str(path))
    if not asked["no_edit"] and output.is_terminal(sys.stdin, sys.stdout):
        from engine.system import programs

        await programs.edit(path)
        template = await engine.templates.check(path, root)
        if template.problem:
            raise template.problem
    return 0


def pairs(given: Sequence[str]) -> dict[str, str]:
    """Read `-p KEY=VALUE`; raises click.UsageError."""
    found: dict[str, str] = {}
    for word in given:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise click.UsageError(f"-p {printable_name(word)!r} is not of the form KEY=VALUE.")
        found[key.strip()] = value
    return found


def _tell_checked(found: Sequence[Template]) -> None:
    for template in found:
        problem = template.problem
        output.say(problem.message if problem else f"{template.name}: ok")


def _tell(found: Sequence[Template], achieved: dict[str, TemplateStats]) -> None:
    width = max((len(each.name) for each in found), default=0)
    lines: list[list[tuple[str, str | None]]] = []
    for each in found:
        what = each.problem.message if each.problem else each.keys.description or ""
        done = achieved.get(each.name)
        ran = f"  ({done.runs} run{'' if done.runs == 1 else 's'})" if done else ""
        lines.append([
            (f"{each.name:<{width}}  {each.layer.value:<10}  ", None),
            (" ".join(what.split()) + ran, "red" if each.problem else None),
        ])  # fmt: skip
    output.say_styled(lines)
