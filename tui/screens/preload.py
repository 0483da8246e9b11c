"""All that the dashboard may need later is imported once it is seen.

A package that is upgraded or removed under an open dashboard then breaks no screen.
"""

from __future__ import annotations

import asyncio
import pkgutil
from collections.abc import Iterable

import tui
from engine import preload

AFTER_S = 1.0
"""Rest after the first frame: keys and runs come first."""
COMMANDS = "tui.cli"
"""The command line: another process has it."""
OTHERS = ("rich.traceback", "textual.widgets.option_list")


async def preload_screens() -> None:
    """Import all modules of the dashboard and of the engine."""
    await asyncio.sleep(AFTER_S)
    await preload.import_all(modules())
    await preload.import_all(preload.modules(with_receivers=False))


def modules() -> Iterable[str]:
    """Return the names of all modules of the dashboard, and of libraries that it imports late."""
    found = pkgutil.walk_packages(tui.__path__, "tui.")
    own = [module.name for module in found if not module.name.startswith(COMMANDS)]
    return (*own, *OTHERS)
