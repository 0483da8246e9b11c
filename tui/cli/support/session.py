"""The engine for a command: one event loop, one engine, handled signals."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import threading
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import (
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine.config import paths
from engine.config.config_file import LoadedConfig, load_usable
from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.lifecycle import LIVE
from engine.domain.model import Run
from engine.engine import Engine
from tui.cli.support import log_file, output

if TYPE_CHECKING:
    from engine.engine import BackgroundProcess
    from engine.ports.engine import EnginePort

YOUNG = 2_000
"""Objects made before garbage is looked for among them; most are gone by then without that."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PROGRAM = Path(__file__).resolve().parents[3] / "swarm_tui.py"
_log = logging.getLogger(__name__)
Result = TypeVar("Result")


def start(work: Coroutine[None, None, int | None]) -> int:
    """Run a command's work and return its exit code."""
    return run(work) or 0


def run(work: Coroutine[None, None, Result]) -> Result:
    """Run a command's work and return its result."""
    collect_garbage()
    return asyncio.run(work)


def collect_garbage() -> None:
    """Look for garbage from now on, but never in what is there by now: it stays to the end."""
    gc.freeze()
    gc.set_threshold(YOUNG)
    gc.enable()


@asynccontextmanager
async def open_engine(
    *,
    follow: bool = False,
    supervise: bool = False,
    after: Callable[[], Awaitable[object]] | None = None,
    strict: bool = False,
    quiet: bool = False,
) -> AsyncGenerator[Engine]:
    """Open the user's home with the user's settings; `strict` refuses a mistake in them.

    Otherwise the last valid ones apply, and the mistake is shown, unless `quiet`: on stderr, or by
    an engine that supervises, among its faults.
    Work that a supervising engine has not finished when it closes continues in the background,
    runs of other commands included.
    """
    places = paths.find()
    log_file.keep(places)
    settings = load_usable(places)
    if strict and settings.error:
        raise settings.error
    if not (supervise or quiet):
        show_warning(settings)
    try:
        async with Engine.open(
            places, settings, follow=follow, supervise=supervise, after=after
        ) as engine:
            with _handed_over(engine) if supervise else nullcontext():
                yield engine
            if not supervise:
                _say_mirrored(engine.mirrored)
        has_receivers = settings.config.webhooks or settings.config.notify.apprise
        if has_receivers and engine.notifications.has_written and not supervise:
            go_on(places)  # a supervisor has to deliver it
    finally:
        if supervise:
            await _leave(places, settings)


def _say_mirrored(shown: Mapping[str, int]) -> None:
    """Print on stderr which runs were shown as they last were here."""
    for run, n in shown.items():
        output.say_aside(f"The node of {run} does not answer: this is its checkpoint {n}.")


def _handed_over(engine: EnginePort) -> AbstractContextManager[None]:
    from tui.cli.support.suspend import hands_over  # it imports this module

    return hands_over(engine)


def show_warning(settings: LoadedConfig) -> None:
    """Print the mistake in the settings file on stderr, if there is one."""
    if settings.error:
        output.say_aside(f"Warning: {settings.warning}")


async def _leave(places: Paths, settings: LoadedConfig) -> None:
    """See to what is not finished, also to what was queued while we were closing."""
    if not places.home.is_dir():
        return  # it was moved or removed, which has been reported: make no other in its place
    try:
        async with Engine.open(places, settings, follow=False) as engine:
            await see_to_what_is_left(engine)
    except UserError as error:  # whatever it is, it has been shown by now
        _log.warning("cannot look for what is left: %s", error.message)


async def see_to_what_is_left(engine: EnginePort) -> None:
    """Ensure supervision, if any work is left to do."""
    if await engine.is_needed():
        go_on(engine.paths)


async def ensure_supervision(engine: EnginePort, runs: Iterable[Run] | None = None) -> None:
    """Ensure that a process supervises the home, if any of these runs is live (None: always)."""
    if engine.supervises:
        return
    if runs is None or any(run.status in LIVE for run in runs):
        from tui.cli.support.supervisor_start import start_one

        await start_one(engine.paths)


def go_on(places: Paths) -> None:
    """Ensure that this home is supervised: in the background, where no process does it yet."""
    try:
        child = start_background_supervisor(places)
    except (OSError, UserError) as error:  # no process can be had: the runs are stored
        _log.error("no supervisor could be started in the background", exc_info=error)
        return
    if child:
        child.leave()
        return
    from engine.engine import read_holder

    with suppress(UserError):
        if problem := read_holder(places.lock).problem:
            output.say_aside(problem)


def start_background_supervisor(places: Paths) -> BackgroundProcess | None:
    """Start a supervisor in the background; None if one is alive. Raises OSError, `UserError`."""
    from engine.engine import start_if_needed  # late: what it brings is seldom needed

    command = [sys.executable, "-P", str(PROGRAM), "supervise", "--unless-supervised"]
    return start_if_needed(places, command)


@contextmanager
def stops(heard: Callable[[signal.Signals], None]) -> Generator[None]:
    """Call `heard` instead of ending when the user or the system wants this process to stop.

    Only the main thread receives signals: in another one nothing is heard.
    """
    loop = asyncio.get_running_loop()
    is_main = threading.current_thread() is threading.main_thread()
    numbers = STOP_SIGNALS if is_main else ()
    for number in numbers:
        loop.add_signal_handler(number, heard, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def unless_stopped(work: Coroutine[None, None, int]) -> int:
    """Do the work and return its exit code; a signal ends it and sets the exit code."""
    stopped: list[signal.Signals] = []
    task = asyncio.ensure_future(work)

    def stop(heard: signal.Signals) -> None:
        if not stopped:  # once is enough: a second would disturb the closing
            task.cancel()
        stopped.append(heard)

    with stops(stop):
        try:
            return await task
        except asyncio.CancelledError:
            if not stopped:
                raise
            return 128 + stopped[0]


async def find_all(engine: EnginePort, names: Sequence[str]) -> list[Run]:
    """Find every run that is named, each once, before anything is done to one of them."""
    found = [await engine.find(name) for name in names]
    return list({run.id: run for run in found}.values())


async def of_batch(engine: EnginePort, name: str) -> list[Run]:
    """Find the runs of a batch, in the order they were made."""
    return await engine.swarms.runs((await engine.swarms.find(name)).id)
