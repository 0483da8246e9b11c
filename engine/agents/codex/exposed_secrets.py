"""Secrets in Codex's settings (`codex.config`, `-c`), which become arguments that all can see.

Codex also takes secrets by the name of a variable; those names are found here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import cast

from engine.domain.errors import user_error
from engine.domain.secrets import is_secret_name, is_secret_value
from engine.domain.text import printable_name

ADVICE = (
    "Name a variable that holds it (`env_key`, `env_http_headers`, `bearer_token_env_var`, "
    "`env_vars`), or write it into Codex's own config.toml"
)
_HEADERS = "http_headers"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OF_VARIABLE = re.compile(r"(?:.+_)?env(?:_key|_var|_vars|_http_headers)")
Path = tuple[str, ...]


def exposed(settings: Mapping[str, object]) -> str | None:
    """Return the name of the first setting that holds a secret, not the name of a variable."""
    return next(
        (".".join(path) for path, value in _leaves(settings) if _is_secret(path, value)), None
    )


def check(lines: Iterable[str]) -> None:
    """Check settings of one run, given as `key=TOML`; raises `UserError` for a secret."""
    if name := exposed(read_lines(lines)):
        raise user_error(
            "INPUT_INVALID",
            f"The Codex setting {printable_name(name)} looks like a secret, and arguments are "
            "visible in the process list.",
            f"{ADVICE}.",
        )


def variables(settings: Mapping[str, object]) -> frozenset[str]:
    """Return the names of the variables that these settings take secrets from."""
    return frozenset(
        value
        for path, value in _leaves(settings)
        if _names_variable(path)
        and _VARIABLE.fullmatch(value)
        and (path[-1] != "env_vars" or is_secret_name(value))
    )


def read_lines(lines: Iterable[str]) -> dict[str, object]:
    """Return settings given as `key=TOML`; what is not TOML is text, as Codex takes it."""
    return dict(_read_line(line) for line in lines)


def _read_line(line: str) -> tuple[str, object]:
    import tomllib  # late: few settings have such lines

    key, _, value = line.partition("=")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return key.strip(), value.strip()


def _leaves(settings: Mapping[str, object]) -> Iterator[tuple[Path, str]]:
    """Return all texts with the keys that lead to them; dotted keys are taken apart."""
    waiting: list[tuple[Path, object]] = [((), settings)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, Mapping):
            inner = cast("Mapping[object, object]", value)
            waiting += [((*path, *_parts(str(key))), each) for key, each in inner.items()]
        elif isinstance(value, (list, tuple)):
            items = cast("list[object]", list(value))  # pyright: ignore[reportUnknownArgumentType]  any JSON
            waiting += [(path, each) for each in items]
            waiting += _arguments(path, [each for each in items if isinstance(each, str)])
        elif isinstance(value, str):
            yield path, value


def _parts(key: str) -> list[str]:
    return [part.strip("\"' ") for part in key.split(".")]


def _arguments(path: Path, words: list[str]) -> Iterator[tuple[Path, str]]:
    """Return the values of options in a list: `--token x`, `--token=x`, `X-Token: x`."""
    for option, value in pairwise(words):
        if option.startswith("-") and "=" not in option:
            yield (*path, option), value
    for word in words:
        name, separator, value = re.sub("[=:]", "\0", word, count=1).partition("\0")
        if separator and len(name) < 100:
            yield (*path, name), value.strip()


def _names_variable(path: Path) -> bool:
    return any(_OF_VARIABLE.fullmatch(part) for part in path[-2:])


def _is_secret(path: Path, value: str) -> bool:
    if not value or not path:
        return False
    if _names_variable(path):
        return not _VARIABLE.fullmatch(value) or is_secret_value(value)
    if path[-1] == "env_key_instructions":
        return is_secret_value(value)
    return _HEADERS in path[-2:-1] or is_secret_name(path[-1]) or is_secret_value(value)
