"""The command `swarm-tui`: guards the search paths of modules and programs, then starts."""

# Nothing that Python does not hold anyway, not even __future__, is imported before `_safe`.
import gc
import os
import sys


def main() -> None:
    """Run swarm-tui; its own `engine` and `tui` win over any of those names on PYTHONPATH."""
    # Not pathlib: the first frame waits for nothing.
    folder = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120  no pathlib at start
    sys.path[:] = [folder, *_safe(sys.path)]
    if not os.path.isabs(sys.pycache_prefix or "/"):  # noqa: PTH117  as above
        sys.pycache_prefix = None  # compiled modules would be read from the current folder
    from engine.system import environment

    environment.guard_process()
    from tui.terminal import splash

    splash.show(sys.argv[1:])
    gc.disable()  # importing makes much that stays: to look for garbage in it takes an eighth
    try:
        from tui.__main__ import main as run

        code = run()
    except KeyboardInterrupt:  # while it is being imported
        code = 130
    finally:
        splash.leave()
    sys.exit(code)


def _safe(module_path: list[str]) -> list[str]:
    """Return a module path without the current folder and what PYTHONPATH names.

    A PYTHONPATH often names a folder of a project, where an agent may write; we need none of it.
    """
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    try:
        left_out = {os.path.realpath(name) for name in ("", *named)}
    except FileNotFoundError:  # the current folder was removed
        left_out = {os.path.realpath(name) for name in named if os.path.isabs(name)}  # noqa: PTH117  no pathlib at start
        module_path = [entry for entry in module_path if os.path.isabs(entry)]  # noqa: PTH117  no pathlib at start
    return [entry for entry in module_path if os.path.realpath(entry) not in left_out]


if __name__ == "__main__":
    main()
