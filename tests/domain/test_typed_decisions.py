"""Decisions ask types: no set of error codes and no sentence decides outside of its one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
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
