"""The command `swarm-tui`: puts its own folder first on the path, then starts."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run swarm-tui; its own `engine` and `tui` win over any of those names on PYTHONPATH."""
    # Not pathlib: the first frame waits for nothing.
    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120
    from tui import first_frame

    first_frame.show(sys.argv[1:])
    gc.disable()  # importing makes much that stays: to look for garbage in it takes an eighth
    try:
        from tui.__main__ import main as run

        code = run()
    except KeyboardInterrupt:  # while it is being imported
        code = 130
    finally:
        first_frame.leave()
    sys.exit(code)


if __name__ == "__main__":
    main()
