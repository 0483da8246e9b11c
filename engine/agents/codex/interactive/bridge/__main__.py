"""The bridge's executable: run by path, it depends on nothing but the standard library."""
# Not pathlib: importing it would take a fifth of the time to start.
# ruff: noqa: PTH100, PTH120

import os
import sys

if not __package__:
    # Last on the path: no file of the folder above can hide a module of the standard library.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    __package__ = "bridge"

from .program import main

if __name__ == "__main__":
    # Not sys.exit: nothing is buffered, and tearing the interpreter down only takes time.
    os._exit(main(sys.argv[1:]))
