"""The runs that an action is for, and the checks before anything is done to one of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from engine.domain import comments, requests
from engine.domain.attention import is_dismissed
from engine.domain.children import descendants
from engine.domain.errors import user_error
from engine.domain.interaction import ModeChange
from engine.domain.lifecycle import CANCELLABLE, FINISHED, LIVE, status_words
from engine.domain.model import Run, Status
from engine.domain.record import record
from tui.cli.support import session

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort


async def to_cancel(
    engine: EnginePort,
    names: Sequence[str],
    batch: str | None,
    *,
    kill: bool = False,
    children: bool = False,
) -> tuple[list[Run], list[Run]]:
    """Return the runs to cancel, and the live runs below them: those named, or all live ones.

    Runs that are named must be live, unless with `children` runs below them are cancelled.
    """
    found = await session.find_all(engine, names)
    if batch:
        batch = (await engine.swarms.find(batch)).id
    wanted = found or await engine.runs(statuses=LIVE, batch=batch)
    below = await _live_below(engine, wanted, LIVE if kill else CANCELLABLE)
    above = {one for run in below for one in run.spec.ancestors} if children else ()
    for run in found:
        if run.id not in above:
            requests.check_cancellable(run)
    return wanted, below


async def _live_below(
    engine: EnginePort, runs: Sequence[Run], statuses: Iterable[Status]
) -> list[Run]:
    """Return the runs below these that have one of these statuses, without these themselves."""
    ids = {run.id for run in runs}
    live = await engine.runs(statuses=statuses)
    return [run for run in descendants(live, ids) if run.id not in ids]


async def to_retry(engine: EnginePort, names: Sequence[str], batch: str | None) -> list[Run]:
    """Return the runs that are named, which must have ended, or all that failed."""
    if batch:
        return await engine.swarms.to_retry((await engine.swarms.find(batch)).id)
    if not names:
        failed = await engine.runs(statuses=[Status.FAILED, Status.INTERRUPTED])
        return [run for run in reversed(failed) if not is_dismissed(run)]
    found = await session.find_all(engine, names)
    for run in found:
        if run.status not in FINISHED:
            raise user_error("RUN_NOT_RETRYABLE", f"The run {run.id} {status_words(run.status)}.")
    return found


@record
class FollowUp:
    """A message that runs go on with; with comments, it begins the one that has all of a run's."""

    text: str
    with_comments: bool = False

    def check(self, run: Run) -> None:
        """Raise `UserError` if a run cannot go on, or there is nothing to send to it."""
        requests.resume(run, "")
        if self.with_comments and not comments.open_comments(run):
            raise comments.none_to_send(run)

    async def send(self, engine: EnginePort, run: str, change: ModeChange) -> Run:
        """Continue a run's thread with it."""
        if self.with_comments:
            return await engine.comments.send(run, self.text, change)
        return await engine.resume(run, self.text, change)


def message_id(run: Run, name: str) -> str:
    """Return the id that a unique beginning means, with or without `message:`."""
    known = [one.message for one in run.messages]
    found = [one for one in known if name in (one, one.partition(":")[2])]
    found = found or [one for one in known if _begins(one, name)]
    return found[0] if len(found) == 1 else name


def _begins(message: str, name: str) -> bool:
    return bool(name) and (message.startswith(name) or message.partition(":")[2].startswith(name))
