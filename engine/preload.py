"""All that a supervisor may need later is imported and read while it begins.

A package that is upgraded or removed under a live supervisor then breaks nothing: it goes on with
what it has. One module at a time, in a thread, so that keys and events come first.
"""

from __future__ import annotations

import asyncio
import logging
import pkgutil
import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path

import engine
from engine.agents import registry
from engine.disk.scan import scanner
from engine.system import child_files

AFTER_S = 2.0
"""Rest before that: a run that ends sooner needs little of it, and importing takes 0.4 s."""
GAP_S = 0.002
CHILDREN = (
    "engine.agents.simulated",
    *(f"engine.disk.scan.{name}" for name in ("team", "totals", "worker")),
)
"""Programs of their own, which no supervisor imports."""
OTHERS = ("yaml", "psutil", "platformdirs", "jinja2", "statistics", "difflib", "secrets")
RECEIVERS = ("httpx2", "standardwebhooks")
_log = logging.getLogger(__name__)


async def preload(*, with_receivers: bool) -> None:
    """Import and read everything; what cannot be imported is logged, and fails where it is used."""
    programs = [program for agent in registry.agents() for program in agent.programs]
    for program in (*programs, Path(scanner.__file__).with_name("worker.py")):
        await asyncio.to_thread(child_files.hold, program)
    await asyncio.sleep(AFTER_S)
    await import_all(modules(with_receivers=with_receivers))
    await _hold_reader_of_sessions()


async def _hold_reader_of_sessions() -> None:
    from engine.usage.other_sessions import PACKAGE, PARTS

    try:
        await asyncio.to_thread(child_files.hold_package, PACKAGE, PARTS)
    except OSError as error:  # it is gone already: reading reports that
        _log.info("cannot hold %s: %s", PACKAGE, error)


async def import_all(names: Iterable[str]) -> None:
    """Import modules one at a time, in a thread; those that cannot be imported are logged."""
    for name in names:
        if name in sys.modules:
            continue
        try:
            await asyncio.to_thread(import_module, name)
        except Exception as error:
            _log.warning("cannot import %s: %s", name, error)
        await asyncio.sleep(GAP_S)


def modules(*, with_receivers: bool) -> Iterable[str]:
    """Return the names of all modules of the engine, and of libraries that it imports late."""
    return (*_own_modules(), *OTHERS, *(RECEIVERS if with_receivers else ()))


@cache  # walking the packages takes 10 ms, and the dashboard asks twice
def _own_modules() -> tuple[str, ...]:
    found = pkgutil.walk_packages(engine.__path__, "engine.")
    return tuple(module.name for module in found if not module.name.startswith(CHILDREN))
