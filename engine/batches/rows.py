"""The rows of a file, each of which becomes a run: CSV, JSON lines or YAML, bounded and checked."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from engine.config import yaml_file
from engine.domain.batch import MOST_RUNS
from engine.domain.errors import UserError, user_error
from engine.domain.text import one_line, printable_name
from engine.system.files import read_named
from engine.templates.parameters import LIMIT_CHARACTERS

INVALID = "BATCH_INVALID"
LIMIT_BYTES = 4 * 1024**2
MOST_COLUMNS = 100
KINDS = {".csv": "CSV", ".jsonl": "JSON lines", ".ndjson": "JSON lines"} | dict.fromkeys(
    (".yaml", ".yml"), "YAML"
)
_NAME = re.compile(r"[^\W\d]\w{0,59}")


@dataclass(frozen=True, slots=True)
class InputRow:
    """A row of values by column; `where` is its place, ready to be shown."""

    values: Mapping[str, str]
    where: str = ""


def read_file(path: Path) -> str:
    """Read a file that rows come from; raises `UserError`."""
    name = printable_name(str(path))
    if path.suffix.lower() not in KINDS:
        raise invalid(f"{name}: a file that ends in {', '.join(KINDS)} is needed.")
    try:
        if not path.is_file():
            what = "it is not a file" if path.exists() else "there is no such file"
            raise invalid(f"{name}: {what}.")
        content = read_named(path, LIMIT_BYTES + 1)
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise invalid(f"{name}: it cannot be read: {what}.") from error
    if len(content) > LIMIT_BYTES:
        raise invalid(f"{name}: it is larger than {LIMIT_BYTES // 1024**2} MiB.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise invalid(f"{name}:{line}: this is not UTF-8.") from error


def checked(text: str) -> str:
    """Return the text of a file that was sent; raises `UserError` where it is too large."""
    if len(text.encode("utf-8", "surrogatepass")) > LIMIT_BYTES:
        raise invalid(f"The rows are larger than {LIMIT_BYTES // 1024**2} MiB.")
    return text


def rows(path: Path, text: str) -> list[InputRow]:
    """Return the rows that `text`, the content of `path`, holds; raises `UserError`, naming one."""
    name, kind = printable_name(path.name), KINDS[path.suffix.lower()]
    reader = {"CSV": _csv, "JSON lines": _json_lines, "YAML": _yaml}[kind]
    found: list[InputRow] = []
    for row in reader(text, name):
        found.append(row)
        if len(found) > MOST_RUNS:
            raise invalid(f"{row.where}: there are more than {MOST_RUNS} rows.")
    if not found:
        raise invalid(f"{name}: there are no rows in it.")
    return found


def listed(values: Iterable[object], name: str, lines: Sequence[int]) -> list[InputRow]:
    """Make rows of values that were read from a YAML file, in which they begin on these lines."""
    return [
        row_of(value, f"{name}:{line}, row {number}")
        for number, (value, line) in enumerate(zip(values, lines, strict=True), start=1)
    ]


def invalid(what: str, recovery: str = "") -> UserError:
    """Return the error for an invalid row file."""
    return user_error(INVALID, what, recovery)


def _csv(text: str, name: str) -> Iterator[InputRow]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    heads: list[str] = []
    try:
        for cells in reader:
            where = f"{name}:{reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if not heads:
                heads = _heads(cells, where)
            elif len(cells) != len(heads):
                raise invalid(f"{where}: {len(cells)} cells; the first row has {len(heads)}.")
            else:
                yield row_of(dict(zip(heads, cells, strict=True)), where)
    except csv.Error as error:
        raise invalid(f"{name}:{reader.line_num}: {one_line(str(error), 200)}.") from error


def _heads(cells: list[str], where: str) -> list[str]:
    heads = [cell.strip() for cell in cells]
    if len(set(heads)) < len(heads):
        twice = next(head for head in heads if heads.count(head) > 1)
        raise invalid(f"{where}: the column `{_shown(twice)}` stands there twice.")
    return heads


def _json_lines(text: str, name: str) -> Iterator[InputRow]:
    for number, line in enumerate(text.split("\n"), start=1):
        where = f"{name}:{number}"
        if not line.strip():
            continue
        try:
            value = json.loads(line, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            what = one_line(str(error), 200) or "this is not JSON"
            raise invalid(f"{where}: {what}.") from error
        yield row_of(value, where)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key `{_shown(key)}` stands there twice")
        found[key] = value
    return found


def _yaml(text: str, name: str) -> Iterator[InputRow]:
    values = yaml_file.values_of(text, name, INVALID)
    if not isinstance(values, list):
        raise invalid(f"{name}: a list of rows is needed, or a mapping with `steps`.")
    yield from listed(cast("list[object]", values), name, yaml_file.lines_of(text))


def row_of(value: object, where: str) -> InputRow:
    """Make a row of a mapping that was read; raises `UserError`."""
    if not isinstance(value, dict):
        raise invalid(f"{where}: names and values are needed, such as path: src.")
    given = cast("dict[object, object]", value)
    if len(given) > MOST_COLUMNS:
        raise invalid(f"{where}: there are more than {MOST_COLUMNS} columns.")
    said = {key_of(k, where): text_of(k, v, where) for k, v in given.items() if v is not None}
    return InputRow(said, where)


def key_of(key: object, where: str) -> str:
    """Return a column's name; raises `UserError` where it is none."""
    if not isinstance(key, str) or not _NAME.fullmatch(key):
        raise invalid(f"{where}: `{_shown(key)}` is no name of letters, digits and `_`.")
    return key


def text_of(key: object, value: object, where: str) -> str:
    """Return a value as text; raises `UserError` where it is none that a parameter could have."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, (str, int, float)):
        raise invalid(f"{where}: `{_shown(key)}`: a text, a number or a flag is needed.")
    text = str(value)
    if len(text) > LIMIT_CHARACTERS or "\0" in text:
        what = "it holds a NUL" if "\0" in text else f"more than {LIMIT_CHARACTERS} characters"
        raise invalid(f"{where}: `{_shown(key)}`: {what}.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise invalid(f"{where}: `{_shown(key)}`: this is not UTF-8.") from None
    return text


def _shown(value: object) -> str:
    return printable_name(str(value)[:60])
