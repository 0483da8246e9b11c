"""Decisions ask types: no set of error codes and no sentence decides outside of its one place."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest

from engine.domain.errors import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for package in ("engine", "tui"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text())


def codes_in(tree: ast.AST) -> Iterator[int]:
    """Yield the lines where several error codes form a set, or a code is cut to pieces."""
    for node in ast.walk(tree):
        match node:
            case ast.Set(elts=elements) | ast.Tuple(elts=elements) | ast.List(elts=elements):
                values = [one.value for one in elements if isinstance(one, ast.Constant)]
                if len(values) == len(elements) > 1 and all(value in CATALOGUE for value in values):
                    yield node.lineno
            case ast.Attribute(value=ast.Attribute(attr="code"), attr="startswith" | "endswith"):
                yield node.lineno
            case _:
                pass


PARSERS = {
    "engine/agents/codex/translation.py": "what Codex prints",
    "engine/domain/transient.py": "what the system and git print",
    "engine/agents/base.py": "what a program of the run prints",
    "engine/store/presence.py": "what SQLite prints",
    "engine/store/probe.py": "what SQLite prints",
    "engine/store/typed.py": "what earlier versions have stored",
    "engine/config/yaml_file.py": "what the reader of YAML prints",
    "tui/cli/support/guided_tour.py": "titles of the demo's own runs",
}
"""Modules that read texts of others, or of before there were types."""
KEYS = {"SETTINGS", "SUPERVISOR_LOCK", "WORKED_IN", "LEFT"}
"""Names of tasks, settings and groups of commands."""
TEXTS = {"reason", "notice", "doing", "stalled", "why", "passing", "recovery"}
"""Attributes that hold a text for people."""
TWO_WORDS = re.compile(r"[A-Za-z] [A-Za-z]")
METHODS = {"startswith", "endswith", "find", "index", "partition", "removeprefix", "removesuffix"}


def constants(tree: ast.Module) -> set[str]:
    """Return the names of a module's constants that hold sentences."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and is_sentence(node.value, set()):
            found |= {name.id for name in node.targets if isinstance(name, ast.Name)}
    return found - KEYS


def imported(tree: ast.Module, known: Mapping[str, set[str]]) -> set[str]:
    """Return such names that a module imports from another."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            theirs = known.get(f"{node.module.replace('.', '/')}.py", set[str]())
            found |= {name.asname or name.name for name in node.names if name.name in theirs}
    return found


def is_sentence(node: ast.expr, named: Collection[str]) -> bool:
    match node:
        case ast.Constant(value=str() as text):
            return bool(TWO_WORDS.search(text))
        case ast.Tuple(elts=elements) | ast.Set(elts=elements) | ast.List(elts=elements):
            return any(is_sentence(one, named) for one in elements)
        case ast.Name(id=name):
            return name in named
        case _:
            return False


def is_text(node: ast.expr) -> bool:
    """Return whether this is an attribute for people; whether there is a text is a fact."""
    return isinstance(node, ast.Attribute) and node.attr in TEXTS


def sentences_in(tree: ast.AST, named: Collection[str]) -> Iterator[int]:
    """Yield the lines where a text for people decides."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=others):
                sides = [left, *others]
                is_none = any(isinstance(one, ast.Constant) and not one.value for one in sides)
                if any(is_sentence(one, named) for one in sides) or (
                    any(map(is_text, sides)) and not is_none
                ):
                    yield node.lineno
            case ast.Call(func=ast.Attribute(value=value, attr=method), args=arguments):
                if method in METHODS and (
                    is_text(value) or any(is_sentence(one, named) for one in arguments)
                ):
                    yield node.lineno
            case _:
                pass


def test_no_sentence_decides() -> None:
    trees = [(str(path), tree) for path, tree in sources()]
    known = {path: constants(tree) for path, tree in trees}
    found = [
        f"{path}:{line}"
        for path, tree in trees
        if path not in PARSERS and not path.startswith("tui/formatting/")
        for line in sentences_in(tree, known[path] | imported(tree, known))
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "run.reason == KILL",
        "body.reason.startswith(AUTO_RETRY)",
        "run.status is CANCELLED and run.reason.endswith(VAIN)",
        "notice.text.startswith('not ready')",
        "item.why.startswith(live)",
        "words in ('has uncommitted changes', 'x')",
        "run.doing == network",
    ],
)
def test_the_check_finds_sentences(text: str) -> None:
    assert list(sentences_in(ast.parse(text), {"KILL"})) == [1]


def test_only_the_catalogue_knows_kinds_of_errors() -> None:
    assert [f"{path}:{line}" for path, tree in sources() for line in codes_in(tree)] == []


@pytest.mark.parametrize(
    "text",
    [
        "X = {'DISK_FULL', 'INTERNAL'}",
        "y = error.code in ('DISK_FULL', 'INTERNAL')",
        "z = error.code.startswith('GIT_')",
    ],
)
def test_the_check_finds_sets_of_codes(text: str) -> None:
    assert list(codes_in(ast.parse(text))) == [1]
