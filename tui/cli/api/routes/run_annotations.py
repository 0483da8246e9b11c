"""Operations on what the user sets of runs: tags, notes, dismissed and archived."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from litestar import post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from engine.domain.model import Run
from engine.ports.review import AnnotationsPort
from tui.cli.api.answers import changed
from tui.cli.api.bodies import NoteRequest, RunsRequest, TagsRequest
from tui.cli.api.context import ApiContext, Context
from tui.cli.api.parameters import RunId
from tui.cli.api.scopes import RUN
from tui.cli.json import RunJson
from tui.cli.support import session

Change = Callable[[AnnotationsPort, Iterable[str]], Awaitable[list[Run]]]


@post(
    "/runs/{run:str}/tags",
    opt=RUN,
    operation_id="tag_run",
    summary="Add and remove tags of a run",
    tags=["runs"],
    status_code=200,
)
async def tag_run(run: RunId, data: JSONBody[TagsRequest], context: Context) -> RunJson:
    """Add tags to a run, and remove others."""
    found = await context.engine.find(run)
    runs = await context.engine.annotations.tag([found.id], data.add, data.remove)
    return (await changed(context.engine, runs))[0]


@put(
    "/runs/{run:str}/note",
    opt=RUN,
    operation_id="note_run",
    summary="Set the note of a run",
    tags=["runs"],
)
async def note_run(run: RunId, data: JSONBody[NoteRequest], context: Context) -> RunJson:
    """Replace the note of a run; an empty text removes it."""
    found = await context.engine.find(run)
    noted = await context.engine.annotations.note(found.id, data.text)
    return (await changed(context.engine, [noted]))[0]


async def _changed(context: ApiContext, names: list[str], change: Change) -> list[RunJson]:
    found = [run.id for run in await session.find_all(context.engine, names)]
    return await changed(context.engine, await change(context.engine.annotations, found))


def _operations(word: str, summary: str, text: str, change: Change) -> list[HTTPRouteHandler]:
    """Return two operations that put runs aside, or no longer: of one run, and of several."""

    async def change_run(run: RunId, context: Context) -> RunJson:
        return (await _changed(context, [run], change))[0]

    async def change_runs(data: JSONBody[RunsRequest], context: Context) -> list[RunJson]:
        return await _changed(context, data.runs, change)

    return [
        post(
            f"/runs/{{run:str}}/{word}",
            opt=RUN,
            operation_id=f"{word}_run",
            summary=summary.format("a run"),
            description=text.format("the run"),
            tags=["runs"],
            status_code=200,
        )(change_run),
        post(
            f"/{word}",
            opt=RUN,
            operation_id=f"{word}_runs",
            summary=summary.format("several runs"),
            description=text.format("the runs, or none of them"),
            tags=["runs"],
            status_code=200,
        )(change_runs),
    ]


HANDLERS = [
    tag_run,
    note_run,
    *_operations(
        "dismiss",
        "Dismiss {}",
        "Put {} aside: without need for attention or review, until started again.",
        lambda aside, runs: aside.dismiss(runs, True),
    ),
    *_operations(
        "undismiss",
        "Undo the dismissal of {}",
        "Make {} need attention again.",
        lambda aside, runs: aside.dismiss(runs, False),
    ),
    *_operations(
        "archive",
        "Archive {}",
        "Leave {} out of the lists, until started again. Nothing is deleted.",
        lambda aside, runs: aside.archive(runs, True),
    ),
    *_operations(
        "unarchive",
        "Undo the archiving of {}",
        "List {} again.",
        lambda aside, runs: aside.archive(runs, False),
    ),
]
