"""A batch followed to its end: a line for each run at work, and what came of all of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from engine.domain.batch import Batch, standing
from engine.domain.model import Run
from engine.domain.ranking import tasks
from tui.cli.support import output
from tui.cli.support.follow import RunDisplay, RunFollower, exit_code
from tui.cli.support.foreground import carry
from tui.cli.support.plain_lines import JsonLines, PlainLines
from tui.cli.support.run_names import RunNames

if TYPE_CHECKING:
    from engine.engine import Changes
    from engine.ports.engine import EnginePort

WIDE = 200


async def follow_batch(
    engine: EnginePort,
    swarm: Batch,
    runs: list[Run],
    since: Mapping[str, int] | None = None,
    *,
    as_json: bool,
    full: bool,
) -> int:
    """Follow the runs of a batch, print its results, and return the exit code."""
    follower = RunFollower(engine, runs, since or 0)
    display = choose(engine, swarm, follower, as_json=as_json, full=full)
    if not as_json:
        output.say_aside(f"batch {swarm.id}: {len(runs)} run{'' if len(runs) == 1 else 's'}")
    stopper = await carry(engine, follower, display)
    return exit_code(follower.runs.values()) if stopper.left is None else 128 + stopper.left


def choose(
    engine: EnginePort,
    swarm: Batch,
    follower: RunFollower,
    *,
    as_json: bool,
    full: bool,
    has_bookkeeping: bool = False,
) -> RunDisplay:
    """Return the display of a batch that fits the output; it ends with the results."""

    def finish(ended: Mapping[str, Run]) -> None:
        known = {run.id: run for run in engine.view.batch(swarm.id)}
        tell_results(engine, swarm, list({**known, **ended}.values()))

    if as_json:
        return JsonLines()
    if not output.is_terminal(sys.stdout):
        return _Lines(follower, finish, full=full, has_bookkeeping=has_bookkeeping)
    from rich.text import Text

    from tui.cli.support.live_view import STYLES, LiveView  # brings most of Rich
    from tui.formatting import batches

    class Live(LiveView):
        """The live view, with where the batch stands, and its results at the end."""

        def above(self) -> list[Text]:
            """Draw one bar for all."""
            known, cost = engine.view.batch(swarm.id), engine.costs.of_run
            so_far = standing(known, time.time(), engine.slots, cost)
            parts = batches.standing(swarm, so_far)
            return [Text.assemble(*((text, STYLES[tone]) for text, tone in parts))]

        def finish(self, runs: dict[str, Run], changes: dict[str, Changes]) -> None:
            """Print what came of the batch."""
            del changes
            finish(runs)

    return Live(follower, full=full, has_bookkeeping=has_bookkeeping)


class _Lines(PlainLines):
    def __init__(
        self,
        follower: RunFollower,
        finish: Callable[[Mapping[str, Run]], None],
        *,
        full: bool,
        has_bookkeeping: bool,
    ) -> None:
        names = RunNames(follower.runs.values())
        super().__init__(
            names.prefix, full=full, has_bookkeeping=has_bookkeeping, colour=names.colour
        )
        self._finish = finish

    def finish(self, runs: dict[str, Run], changes: dict[str, Changes]) -> None:
        """Write what came of the batch."""
        del changes
        self._finish(runs)


def tell_results(engine: EnginePort, swarm: Batch, runs: Sequence[Run]) -> None:
    """Print where a batch stands and how its runs came off, the best of each task first."""
    from tui.cli.support.colours import COLOURS
    from tui.formatting import batches

    now, cost = time.time(), engine.costs.of_run
    so_far = standing(runs, now, engine.slots, cost)
    found = tasks(runs)
    lines = [batches.heading(swarm, so_far), batches.standing(swarm, so_far), []]
    width = _width()
    lines.append([(batches.heads(found, width, cost), "dim")])
    lines += [parts for parts, _ in batches.ranked(found, now, width, cost)]
    output.say_styled([(text, COLOURS.get(tone)) for text, tone in line] for line in lines)
    if words := next_steps(swarm, runs):
        output.say("\n".join(["", *(f"  next: swarm-tui batch {word}" for word in words)]))


def _width() -> int:
    """Return the width of a line in cells; in a pipe nothing is cut."""
    if not output.is_terminal(sys.stdout):
        return WIDE
    import shutil

    return shutil.get_terminal_size().columns


def next_steps(swarm: Batch, runs: Sequence[Run]) -> list[str]:
    """Return those of the batch's own commands that apply now."""
    found = tasks(runs)
    steps: list[str] = []
    if any(run.status in ("failed", "interrupted") for run in runs):
        steps.append(f"retry {swarm.id}")
    if any(len(task.runs) > 1 and task.winner for task in found):
        steps.append(f"compare {swarm.id}")
    winners = [task.winner for task in found if task.winner]
    if any(run.changes.files and not run.is_applied for run in winners):
        steps.append(f"apply {swarm.id}")
    return steps or [f"report {swarm.id}"]
