"""Tools that read the logs, changes and files of runs."""

from __future__ import annotations

import asyncio
import os
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

from msgspec import Meta

from engine.domain.errors import os_failure, user_error
from engine.domain.model import Run
from engine.domain.text import printable_name
from engine.engine import AttemptFile, AttemptPart, AttemptRef
from tui.cli.mcp import results
from tui.cli.mcp.bounds import TEXT_BYTES, part_of
from tui.cli.mcp.caller import Caller
from tui.cli.mcp.fields import Entries, EventNumber, Limit, Offset, PathName, RunName, Skipped
from tui.cli.mcp.tool import McpTool, ToolArguments
from tui.cli.mcp.tools.runs import as_dict
from tui.cli.support.plain_lines import event_lines, is_beginning
from tui.cli.support.shown_names import all_meant, first_found
from tui.models.log_events import LogFilter

if TYPE_CHECKING:
    from engine.domain.events import Event
    from engine.engine import Changes

FILE_BYTES = 64 * 1024**2
FILES = 50


class ReadLogArguments(ToolArguments):
    """Arguments of `read_log`."""

    run: RunName
    limit: Entries = 30
    before: Annotated[
        EventNumber | None, Meta(description="only events before this number: `first`")
    ] = None
    after: Annotated[
        EventNumber | None, Meta(description="only events after this number: `last`")
    ] = None


class ReadOutputArguments(ToolArguments):
    """Arguments of `read_output`."""

    run: RunName
    part: Annotated[
        Literal["setup", "verify", "stderr"],
        Meta(description="output of the set-up or of the check, or the agent's stderr"),
    ]
    offset: Offset = 0
    limit: Limit = TEXT_BYTES


class DiffRunArguments(ToolArguments):
    """Arguments of `diff_run`."""

    run: RunName
    paths: Annotated[
        tuple[PathName, ...], Meta(max_length=100, description="only these files; empty: all")
    ] = ()
    patch: Annotated[bool, Meta(description="false: only the list of changed files")] = True
    offset: Offset = 0
    limit: Limit = TEXT_BYTES


class ListFilesArguments(ToolArguments):
    """Arguments of `list_files`."""

    run: RunName
    path: PathName = ""
    limit: Entries = 100
    skip: Skipped = 0


class ReadFileArguments(ToolArguments):
    """Arguments of `read_file`."""

    run: RunName
    path: PathName
    offset: Offset = 0
    limit: Limit = TEXT_BYTES


async def read_log(caller: Caller, asked: ReadLogArguments) -> dict[str, Any]:
    """Return the latest events of a run's log, or those at a place in it, as lines."""
    run = await caller.find(asked.run)
    before = None if asked.after is not None else asked.before or run.seq + 1
    events = await caller.engine.events(
        run.id, after=asked.after or 0, before=before, limit=asked.limit
    )
    text = "\n".join(_lines(run, events)).encode("utf-8", "backslashreplace")
    seen = [event.seq for event in events]
    return {
        "run": run.id,
        "status": run.status.value,
        "log": part_of(text, 0, 2 * TEXT_BYTES, len(text)).text,
        "first": min(seen, default=None),
        "last": max(seen, default=None),
        "newest": run.seq,
    }


async def read_output(caller: Caller, asked: ReadOutputArguments) -> dict[str, Any]:
    """Return a part of what the set-up, the check or the agent's stderr wrote."""
    run = await caller.find(asked.run)
    parts = {"setup": AttemptPart.SETUP, "verify": AttemptPart.VERIFY}
    part = parts.get(asked.part, AttemptPart.AGENT)
    file = AttemptFile.OUTPUT if asked.part in parts else AttemptFile.STDERR
    attempts = range(run.attempt, 0 if asked.part in parts else run.attempt - 1, -1)
    for attempt in attempts:
        ref = AttemptRef(run.id, attempt, part)
        try:  # with one byte more, to know whether it is the last part
            data = await caller.engine.read_attempt(ref, file, asked.offset, asked.limit + 1)
        except OSError as error:
            raise os_failure(error) from error
        if data is not None:
            text = part_of(data, asked.offset, asked.limit, None)
            return {"run": run.id, "attempt": attempt, **as_dict(text)}
    raise user_error("INPUT_INVALID", f"The run {run.id} has no such output yet.")


async def diff_run(caller: Caller, asked: DiffRunArguments) -> dict[str, Any]:
    """Return the changed files of a run, and a part of the patch."""
    run, workspaces = await caller.find(asked.run), caller.engine.workspaces
    changes = await workspaces.changes(run.id)
    found = {"run": run.id, **_changes_json(changes)}
    if not asked.patch:
        return found
    with TemporaryFile(dir=caller.engine.paths.home) as file:
        await workspaces.write_diff(run.id, file, paths=tuple(all_meant(asked.paths)))
        data, total = await asyncio.to_thread(_read_part, file, asked.offset, asked.limit)
    return {**found, "patch": as_dict(part_of(data, asked.offset, asked.limit, total))}


async def list_files(caller: Caller, asked: ListFilesArguments) -> dict[str, Any]:
    """Return the entries of a folder of a run's workspace."""
    run, end = await caller.find(asked.run), asked.skip + asked.limit
    folder = caller.engine.workspaces.folder
    _, entries = await first_found(asked.path.strip("/"), lambda name: folder(run.id, name))
    more = len(entries) > end
    return {
        "run": run.id,
        "entries": [
            {**entry._asdict(), "path": printable_name(entry.path)}
            for entry in entries[asked.skip : end]
        ],
        "more": more,
        "hint": f"There are more: use skip {end}." if more else "",
    }


async def read_file(caller: Caller, asked: ReadFileArguments) -> dict[str, Any]:
    """Return a part of a file of a run's workspace."""
    run, end = await caller.find(asked.run), asked.offset + asked.limit
    if end > FILE_BYTES:
        raise user_error("INPUT_INVALID", f"Only the first {FILE_BYTES} bytes can be read.")
    read = caller.engine.workspaces.preview
    path, found = await first_found(asked.path.strip("/"), lambda name: read(run.id, name, end))
    answer = {"run": run.id, "path": printable_name(path), "size_bytes": found.size_bytes}
    if found.is_link:
        return {**answer, "link_to": printable_name(os.fsdecode(found.data))}
    if not found.is_file:
        raise user_error("INPUT_INVALID", f"{printable_name(path)} is not a file.")
    if b"\0" in found.data:
        return {**answer, "is_binary": True}
    data = found.data[asked.offset :]
    total = max(found.size_bytes, asked.offset + len(data))
    return {**answer, **as_dict(part_of(data, asked.offset, asked.limit, total))}


def _lines(run: Run, events: list[Event]) -> list[str]:
    shown = LogFilter(has_bookkeeping=False).choose(events)
    return [
        line
        for event in shown
        if not is_beginning(event)
        for line in event_lines(event, prompt=run.spec.prompt)
    ]


def _changes_json(changes: Changes) -> dict[str, Any]:
    files = [
        {
            "path": printable_name(file.path),
            "change": file.kind.value,
            "insertions": file.insertions,
            "deletions": file.deletions,
            "binary": file.binary,
        }
        for file in changes.files[:FILES]
    ]
    total = changes.total
    return {
        "files": total.files,
        "insertions": total.insertions,
        "deletions": total.deletions,
        "changes": files,
        "more": len(changes.files) > FILES,
    }


def _read_part(file: BinaryIO, offset: int, limit: int) -> tuple[bytes, int]:
    total = file.seek(0, os.SEEK_END)
    file.seek(min(offset, total))
    return file.read(limit), total


TOOLS = (
    McpTool(
        "read_log",
        "Read the log of a run",
        "Return the latest events of a run's log as lines of text, or those before or after an "
        "event's number.",
        ReadLogArguments,
        results.LogText,
        read_log,
    ),
    McpTool(
        "read_output",
        "Read the output of a run's commands",
        "Return the output of a run's set-up or check, or the stderr of its agent.",
        ReadOutputArguments,
        results.OutputPart,
        read_output,
    ),
    McpTool(
        "diff_run",
        "Show the changes of a run",
        "Return the changed files of a run, and its changes as a unified diff.",
        DiffRunArguments,
        results.RunDiff,
        diff_run,
    ),
    McpTool(
        "list_files",
        "List files of a run",
        "List a folder of a run's workspace.",
        ListFilesArguments,
        results.ListedFiles,
        list_files,
    ),
    McpTool(
        "read_file",
        "Read a file of a run",
        "Return the text of a file of a run's workspace.",
        ReadFileArguments,
        results.FilePart,
        read_file,
    ),
)
