"""Resources of the server: the log and the diff of each run, as text."""

from __future__ import annotations

import re
from tempfile import TemporaryFile

import mcp_types as types

from engine.domain.errors import user_error
from tui.cli.mcp.bounds import MOST_BYTES, encodable, part_of
from tui.cli.mcp.caller import Caller
from tui.cli.mcp.tools.logs import ReadLogArguments, read_log

LATEST = 10
"""Runs whose resources are listed; the templates name those of all runs."""
EVENTS = 200
_ADDRESS = re.compile(r"swarm://runs/(?P<run>[\w@-]{1,200})/(?P<part>log|diff)", re.ASCII)
_PARTS = (("log", "Log of a run", "text/plain"), ("diff", "Changes of a run", "text/x-diff"))

TEMPLATES = [
    types.ResourceTemplate(
        name=f"run-{part}", title=title, uri_template=f"swarm://runs/{{run}}/{part}", mime_type=mime
    )
    for part, title, mime in _PARTS
]


async def list_resources(caller: Caller) -> list[types.Resource]:
    """Return the resources of the latest runs."""
    runs = await caller.engine.runs(limit=LATEST if caller.settings.others == "read" else -1)
    return [
        types.Resource(
            name=f"{run.id}-{part}",
            title=encodable(f"{title}: {run.spec.title}"),
            uri=f"swarm://runs/{run.id}/{part}",
            mime_type=mime,
        )
        for run in caller.readable(runs)[:LATEST]
        for part, title, mime in _PARTS
    ]


async def read_resource(caller: Caller, address: str) -> types.TextResourceContents:
    """Return a resource; raises `UserError`."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise user_error("INPUT_INVALID", "There is no such resource.")
    run = await caller.find(found["run"])
    is_log = found["part"] == "log"
    text = await _log(caller, run.id) if is_log else await _diff(caller, run.id)
    mime = {part: mime for part, _, mime in _PARTS}[found["part"]]
    return types.TextResourceContents(uri=address, mime_type=mime, text=encodable(text))


async def _log(caller: Caller, run: str) -> str:
    answer = await read_log(caller, ReadLogArguments(run=run, limit=EVENTS))
    return str(answer["log"])


async def _diff(caller: Caller, run: str) -> str:
    with TemporaryFile(dir=caller.engine.paths.home) as file:
        await caller.engine.workspaces.write_diff(run, file)
        total = file.tell()
        file.seek(0)
        return part_of(file.read(MOST_BYTES), 0, MOST_BYTES, total).text
