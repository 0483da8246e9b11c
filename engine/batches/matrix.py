"""Values of each run of a batch: the rows of a file times a matrix."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from engine.batches.rows import InputRow, invalid, key_of, text_of
from engine.domain.batch import MOST_RUNS
from engine.domain.text import printable_name


def read_matrix(words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read words of the form `KEY=a,b,c`, a backslash before a comma of a value's own.

    Raises `UserError`.
    """
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        key, equals, rest = word.partition("=")
        where = f"--matrix {key.strip()[:60]}"
        key = key_of(key.strip(), "--matrix")
        values = [value.replace("\0", ",").strip() for value in _split(rest)]
        if not equals or not any(values):
            raise invalid(f"{where}: it has no values: KEY=a,b,c is needed.")
        if key in found:
            raise invalid(f"{where}: it stands there twice.")
        found[key] = tuple(text_of(key, value, where) for value in values)
    return found


def matrix_of(values: Mapping[str, Sequence[object]]) -> dict[str, tuple[str, ...]]:
    """Return a matrix of JSON values as texts; raises `UserError`."""
    for key, listed in values.items():
        if not listed:
            raise invalid(f"`{printable_name(key[:60])}` has no values.")
    return {
        key_of(key, "matrix"): tuple(text_of(key, value, key) for value in listed)
        for key, listed in values.items()
    }


def _split(text: str) -> list[str]:
    return text.replace("\0", "").replace("\\,", "\0").split(",")


def cells(
    rows: Sequence[InputRow], matrix: Mapping[str, Sequence[str]], each: int
) -> list[InputRow]:
    """Multiply the rows by the matrix, where each cell becomes `each` runs; raises `UserError`."""
    count = max(1, len(rows)) * math.prod(len(values) for values in matrix.values()) * each
    if count > MOST_RUNS:
        raise invalid(f"These would be {count} runs; at most {MOST_RUNS} are started at once.")
    if not count:
        raise invalid("The matrix has a name without values.")
    for row in rows:
        for name in row.values.keys() & matrix.keys():
            raise invalid(f"{row.where}: `{name}` is given by the matrix, too.")
    found: list[InputRow] = []
    for row in rows or [InputRow({})]:
        for values in itertools.product(*matrix.values()):
            more = dict(zip(matrix, values, strict=True))
            said = ", ".join(f"{k}={v}" for k, v in more.items())
            where = ", ".join(filter(None, (row.where, said)))
            found.append(InputRow({**row.values, **more}, where))
    return found
