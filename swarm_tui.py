"""The command `swarm-tui`: puts its own folder first on the path, then starts."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Run swarm-tui; its own `engine` and `tui` win over any of those names on PYTHONPATH."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    try:
        from tui.__main__ import main as run

        code = run()
    except KeyboardInterrupt:  # while it is being imported
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
