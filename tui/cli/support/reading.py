"""Commands that only read runs: from the database alone where that is enough."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from engine.config import paths
from engine.run_reader import finish, open_reader

if TYPE_CHECKING:
    from engine.ports.run_list import RunListPort

Work = Callable[["RunListPort"], Coroutine[Any, Any, int]]


def start(work: Work) -> int:
    """Do a command's work with a reader of the runs, or with an engine, and return its exit code.

    Without an engine, neither it nor asyncio is imported: most of what a list takes.
    """
    with open_reader(paths.find()) as reader:
        if reader:
            return finish(work(reader))
    from tui.cli.support import session

    return session.start(_with_engine(work))


async def _with_engine(work: Work) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        return await work(engine)
