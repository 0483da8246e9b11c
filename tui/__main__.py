"""Composition root: open the engine, run the face that was asked for, give the exit code."""

from __future__ import annotations


def main() -> int:
    """Run swarm-tui with the arguments of this process."""
    from tui.cli.main import run

    return run()
