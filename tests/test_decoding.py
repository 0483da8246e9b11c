"""Classes are made known to msgspec by one thread at a time: two end the process."""

from __future__ import annotations

import ast
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine.system.decoding import convert, json_decoder, msgpack_decoder, prepare

ROOT = Path(__file__).resolve().parents[1]
begun, second = threading.Event(), threading.Event()


def _first() -> type:
    """Return the type of a field, once another thread has had time to begin as well."""
    begun.set()
    assert not second.wait(0.2)
    return int


def _second() -> type:
    second.set()
    return int


@dataclass
class First:
    value: _first()  # pyright: ignore[reportInvalidTypeForm]  a type made by a call


@dataclass
class Second:
    value: _second()  # pyright: ignore[reportInvalidTypeForm]  a type made by a call


def test_second_thread_waits() -> None:
    other = threading.Thread(target=lambda: begun.wait() and convert({"value": 1}, Second))
    other.start()
    assert json_decoder(First)(b'{"value": 1}') == First(1)
    other.join()
    assert second.is_set()


def test_a_decoder_is_made_once() -> None:
    assert json_decoder(First) is json_decoder(First)
    assert msgpack_decoder(dict[str, int])(b"\x81\xa1a\x01") == {"a": 1}


THREADS = """
import sys, threading
from engine.domain.model import Run, RunSpec
from engine.store.codec import run_from, spec_text, state_text
sys.setswitchinterval(1e-6)
run = Run("a", RunSpec("do", "title", "project"), 1.0)
halves = spec_text(run.spec), state_text(run)
together = threading.Barrier(4)
def read():
    together.wait()
    assert run_from(*halves) == run
threads = [threading.Thread(target=read) for _ in range(4)]
for one in threads: one.start()
for one in threads: one.join()
"""


def test_threads_that_read_runs_at_once() -> None:
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", THREADS], cwd=ROOT, capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")


def test_no_module_makes_a_decoder_by_itself() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("engine", "tui")
        for path in (ROOT / folder).rglob("*.py")
        if "msgspec." in (text := path.read_text()) and path.name != "decoding.py"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and _makes_known(node)
    ]
    assert found == []


def _makes_known(call: ast.Call) -> bool:
    """Return whether a call of msgspec names a type."""
    name = ast.unparse(call.func)
    if not name.startswith("msgspec."):
        return False
    is_typed = any(one.arg == "type" for one in call.keywords)
    return name.endswith((".Decoder", ".convert")) or (name.endswith(".decode") and is_typed)


def test_text_nested_too_deeply_is_taken_like_any_other_that_cannot_be_read() -> None:
    caught = [
        (f"{path.relative_to(ROOT)}:{node.lineno}", ast.unparse(names))
        for folder in ("engine", "tui")
        for path in (ROOT / folder).rglob("*.py")
        if "msgspec." in (text := path.read_text())
        for node in ast.walk(ast.parse(text))
        if (names := _caught(node)) is not None
    ]
    of_decoders = [one for one in caught if "DecodeError" in one[1] or "MsgspecError" in one[1]]
    assert len(of_decoders) > 20
    assert [one for one in of_decoders if "msgspec" in one[1] and "Recursion" not in one[1]] == []


def _caught(node: ast.AST) -> ast.expr | None:
    """Return the errors that are caught or suppressed somewhere."""
    if isinstance(node, ast.ExceptHandler):
        return node.type
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "suppress":
        return ast.Tuple(node.args)
    return None


made: list[int] = []


def _counted() -> type:
    made.append(1)
    return int


@dataclass
class Counted:
    value: _counted()  # pyright: ignore[reportInvalidTypeForm]  a type made by a call


def test_prepared_class_is_known_to_a_library_that_converts_to_it() -> None:
    prepare(Counted)
    assert made == [1]
    assert msgspec.convert({"value": 1}, Counted) == Counted(1)
    assert made == [1]
