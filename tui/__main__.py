"""Composition root: run the command line, which opens the engine and the face asked for."""

from __future__ import annotations

import sys


def main() -> int:
    """Run swarm-tui with the arguments of this process and give its exit code."""
    from tui.cli.main import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
