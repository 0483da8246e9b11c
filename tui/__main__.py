"""Composition root: run the command line, which opens the engine and the face asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Container

from tui.cli import COMPLETE


def _command_names() -> Container[str]:
    """Return the names of the commands; the command line is imported only for that."""
    from tui.cli.main import command_names

    return command_names()


def main() -> int:
    """Run swarm-tui with the arguments of this process and return its exit code."""
    if sys.argv[1:] or COMPLETE in os.environ:
        from tui.cli.main import run

        return run()
    from tui.cli.commands.dashboard import (
        run_dashboard,  # without the command line: it takes a while too
    )

    return run_dashboard(_command_names)


if __name__ == "__main__":
    sys.exit(main())
