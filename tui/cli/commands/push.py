"""`swarm-tui push`: the branch of a run pushed to a remote, and a pull request for it."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.support import output
from tui.cli.support.change_results import pushed_json
from tui.cli.support.options import (
    RunArgument,
    RunParam,
    TextParam,
    everywhere,
    examples,
    has_ended,
    json_option,
)

if TYPE_CHECKING:
    from engine.engine import PullRequest, PushResult
    from engine.ports.engine import EnginePort


@click.command(
    epilog=examples(
        "push @last", "push k3f --branch fix/cents --pr", "push k3f --pr --draft --edit"
    )
)
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam(has_ended))
@click.option("--remote", type=TextParam(), metavar="R", help="Push to this remote.")
@click.option("--branch", type=TextParam(), metavar="B", help="Name the branch on the remote.")
@click.option("--pr", is_flag=True, help="Open a pull request, if gh is installed.")
@click.option("--draft", is_flag=True, help="Open it as a draft.")
@click.option("--base", type=TextParam(), metavar="B", help="Open it against this branch.")
@click.option("--edit", is_flag=True, help="Edit its title and text first.")
@json_option("Print the push.")
@everywhere()
def push(run: str, as_json: bool, **asked: Any) -> int:  # noqa: ANN401  click passes options by name
    """Commit a run's changes on its branch and push that with your own git.

    The commit is made as `apply --as commit` makes it. Nothing is asked, and no hook runs:
    `pre-push` neither. Other commits of the branch on the remote are never overwritten.
    """
    from tui.cli.support import session

    if not asked["pr"] and (asked["draft"] or asked["edit"] or asked["base"]):
        raise click.UsageError("--draft, --base and --edit go with --pr.")
    if asked["edit"] and not output.is_terminal(sys.stdin, sys.stdout):
        raise click.UsageError("--edit needs a terminal.")
    return session.start(_push(run, asked, as_json=as_json))


async def _push(name: str, asked: dict[str, Any], *, as_json: bool) -> int:
    from engine.engine import PushRequest
    from tui.cli.support import session

    async with session.open_engine() as engine:
        run = await engine.find(name)
        request = await _request(engine, run.id, asked) if asked["pr"] else None
        wanted = PushRequest(asked["remote"], asked["branch"], request)
        done = await engine.pushes.push(run.id, wanted)
    if as_json:
        output.say_json(pushed_json(done))
    else:
        _print(done)
    if asked["pr"] and not done.pushed.pull_request:
        where = done.pushed.web_address
        output.say_aside(f"gh is not installed: open the pull request yourself at {where}")
    return 0


async def _request(engine: EnginePort, run: str, asked: dict[str, Any]) -> PullRequest:
    draft = await engine.pushes.draft(run)
    draft = replace(draft, is_draft=asked["draft"], base=asked["base"] or "")
    return await _edited(draft) if asked["edit"] else draft


async def _edited(draft: PullRequest) -> PullRequest:
    """Return the title (the first line) and the text as the user has edited them."""
    from engine.domain.errors import user_error
    from engine.system import programs

    with tempfile.TemporaryDirectory(prefix="swarm-tui-") as folder:
        path = Path(folder) / "pull-request.md"
        path.write_text(f"{draft.title}\n\n{draft.body}\n", "utf-8")
        await programs.edit(path)
        title, _, body = path.read_text("utf-8", "replace").strip().partition("\n")
    if not title.strip():
        raise user_error("INPUT_INVALID", "The title is empty: nothing was pushed.", "Write one.")
    return replace(draft, title=title.strip(), body=body.strip())


def _print(done: PushResult) -> None:
    pushed = done.pushed
    words = f"pushed to {pushed.remote}" if done.has_changed else f"already on {pushed.remote}"
    output.say(f"{done.run.id} {pushed.branch} {words}, {pushed.commit[:10]}")
    output.say(pushed.pull_request or pushed.web_address)
