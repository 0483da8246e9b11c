"""A YAML file read into a struct of settings, every mistake named with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin

import msgspec
from msgspec import Struct

from engine.domain import nearest
from engine.domain.errors import UserError, user_error
from engine.domain.text import printable_name
from engine.system.decoding import convert

T = TypeVar("T", bound=Struct)
NUMBER_CHARACTERS = 100
_WRONG_TAGS = (ValueError, LookupError, AttributeError, TypeError, ArithmeticError)
"""Errors of PyYAML for a value that does not fit its tag: `!!bool maybe`, `!!timestamp x`."""
DEEPEST = 100  # lists and mappings in each other


TYPES = {
    "null": "nothing",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "array": "a list",
    "object": "keys with values",
}
"""The types of a YAML file in words."""


def parse(text: str, name: str, kind: type[T], code: str = "CONFIG_INVALID") -> T:
    """Read `text` as a `kind`; `name` stands in errors for the file, which have the code `code`.

    Types with a class method `parse`, which may raise ValueError, read their values by it. Raises
    `UserError`, naming line and nearest valid key.
    """
    values, tree = _read(text, name, code) if text else (None, None)
    if values is None:  # an empty file: every key has its default, or is missing
        values = dict[str, Any]()
    try:
        return convert(values, kind, dec_hook=_decode)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _located(str(error), tree, name, kind, values, code) from error


def values_of(text: str, name: str, code: str) -> Any:  # noqa: ANN401  whatever YAML can hold
    """Read `text` as it is, without aliases; raises `UserError`, naming the line."""
    return _read(text, name, code)[0]


def line_of(text: str, *keys: str) -> int:
    """Return the line, from 1, of the value at `keys`, or of its nearest known parent."""
    node, line = _nodes(text), 1
    for key in keys:
        found = _child(node, key)
        if found is None:
            break
        mark, node = found
        line = mark.line + 1
        if getattr(node, "style", None) in ("|", ">"):
            line += 1
    return line


def _read(text: str, name: str, code: str) -> tuple[Any, Any]:
    """Return the values and the nodes, which know their lines."""
    import yaml  # slow to import, and most homes have no such file

    try:
        _refuse_bombs(text)
        loader: Any = _loader()(text)
        tree = loader.get_single_node()
        _refuse_treacherous(tree)
        return loader.construct_document(tree) if tree else None, tree
    except (yaml.YAMLError, RecursionError, *_WRONG_TAGS) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        what = getattr(error, "problem", None) or "this is not YAML"
        raise user_error(code, f"{where}: {what}.") from error


def lines_of(text: str, *keys: str) -> list[int]:
    """Return the lines, from 1, on which the items of the sequence at `keys` begin."""
    node = _nodes(text)
    for key in keys:
        _, node = _child(node, key) or (None, None)
    return [child.start_mark.line + 1 for child in node.value] if node else []


def _decode(kind: type, value: object) -> object:
    read = getattr(kind, "parse", None)
    return read(value) if read else value


def _located(
    problem: str,
    tree: Any,  # noqa: ANN401  a YAML node
    name: str,
    kind: type[Struct],
    values: Any,  # noqa: ANN401  whatever YAML can hold
    code: str,
) -> UserError:
    what, at, where = re.split("( - at `key` in `\\$| - at `\\$)|$", problem, maxsplit=1)
    keys = _named(
        [key for key in re.split(r"[.\[\]`]+", where.replace("...", "…")) if key], kind, values
    )
    unknown = re.search(r"unknown field `(.*)`", what)
    if at and "key" in at:
        inside = _value_at(values, keys)
        wrong = next((str(key) for key in inside if not isinstance(key, str)), "…")
        path = f"`{'.'.join(keys)}`: " if keys else ""
        what = f"{path}the key {wrong} must be a text: put it in quotes."
        keys.append(wrong)
    elif unknown:
        keys.append(unknown[1])
        meant = nearest.hint(unknown[1], _valid_keys(kind, keys[:-1]))
        what = f"unknown key `{'.'.join(keys)}`.{meant}"
    elif keys:
        what = f"`{'.'.join(keys)}`: {in_words(what)}."
    return user_error(code, f"{name}:{_line(tree, keys)}: {what}")


def in_words(problem: str) -> str:
    """Return what a decoder reports, with the names of types in words."""

    def words(found: re.Match[str]) -> str:
        names = found[1].split(" | ")
        if not TYPES.keys() >= set(names):
            return found[0]
        return " or ".join(TYPES[name] for name in names)

    return re.sub("`([^`]*)`", words, problem)


def _named(keys: list[str], kind: Any, values: Any) -> list[str]:  # noqa: ANN401  types, YAML
    """Put the name in where only `…` is known of a mapping's key: the first that is wrong."""
    found: list[str] = []
    for key in keys:
        kind = _inner(kind, key)
        if isinstance(values, dict):
            inside = cast("dict[object, Any]", values)
            if key == "…":
                key = next((str(k) for k, v in inside.items() if not _fits(v, kind)), key)
            values = inside.get(key)
        elif isinstance(values, list):
            values = cast("list[Any]", values)[int(key)]
        found.append(key)
    return found


def _value_at(values: Any, keys: list[str]) -> Any:  # noqa: ANN401  whatever YAML can hold
    for key in keys:
        inside = cast("list[Any] | dict[str, Any]", values)
        values = inside[int(key)] if isinstance(inside, list) else inside[key]
    return values


def _fits(value: object, kind: Any) -> bool:  # noqa: ANN401  a type
    try:
        convert(value, kind, dec_hook=_decode)
    except msgspec.ValidationError:
        return False
    return True


def _loader() -> Any:  # noqa: ANN401  untyped in its stubs
    """Return libyaml's loader where PyYAML was built with it: ten times as quick."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _refuse_bombs(text: str) -> None:
    """Refuse what in a few lines stands for more than fits into memory, or lies too deep.

    Parsing takes each level as it comes; whatever makes nodes of it calls itself for each.
    """
    import yaml

    depth = 0
    events: Any = getattr(yaml, "parse")(text, Loader=_loader())  # noqa: B009  untyped
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise _marked("`*` for what stands elsewhere is not allowed here", event)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _marked("this is nested too deep", event)


def _refuse_treacherous(tree: Any) -> None:  # noqa: ANN401  a YAML node
    """Refuse keys that stand twice, and numbers that it takes for ever to read.

    All keys become texts.
    """
    waiting: list[Any] = [tree] if tree else []
    while waiting:
        node = waiting.pop()
        if not isinstance(node.value, str):
            waiting += _children(node)
        elif node.tag.endswith((":int", ":float")) and len(node.value) > NUMBER_CHARACTERS:
            raise _marked("a number has too many digits", node)


def _children(node: Any) -> Iterator[Any]:  # noqa: ANN401  YAML nodes
    """Yield the nodes in a sequence or a mapping, its keys too, each once."""
    seen: set[str] = set()
    for child in node.value:
        if not isinstance(child, tuple):
            yield child
            continue
        key, value = cast("tuple[Any, Any]", child)
        yield from (key, value)
        if key.tag.endswith(":bool"):  # `on` is a word for true in YAML, and a key of ours
            key.tag = key.tag.removesuffix("bool") + "str"
        if isinstance(key.value, str):
            if key.value in seen:
                raise _marked(f"the key `{printable_name(key.value[:80])}` stands there twice", key)
            seen.add(key.value)


def _marked(problem: str, node: Any) -> Exception:  # noqa: ANN401  a YAML node
    import yaml

    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _nodes(text: str) -> Any:  # noqa: ANN401  YAML nodes know their lines, and have no types
    return _loader()(text).get_single_node()


def _line(node: Any, keys: list[str]) -> int:  # noqa: ANN401  a YAML node
    line: int = node.start_mark.line + 1 if node else 1
    for key in keys:
        found = _child(node, key)
        if found is None:
            break
        mark, node = found
        line = mark.line + 1
    return line


def _child(node: Any, key: str) -> tuple[Any, Any] | None:  # noqa: ANN401  a YAML node
    """Return the nodes of `key` and its value in a mapping or sequence; None: missing."""
    children: list[Any] = node.value if node else []
    for place, child in enumerate(children):
        if isinstance(child, tuple):
            name, value = cast("tuple[Any, Any]", child)
            if name.value == key:
                return name.start_mark, value
        elif str(place) == key:
            return child.start_mark, child
    return None


def _valid_keys(kind: Any, path: list[str]) -> list[str]:  # noqa: ANN401  a type
    for key in path:
        kind = _inner(kind, key)
    return [field.name for field in msgspec.structs.fields(kind)] if kind else []


def _inner(kind: Any, key: str) -> Any:  # noqa: ANN401  types
    """Return the type of the value at `key` in a value of the type `kind`; None: not known."""
    if get_origin(kind) is dict:
        return get_args(kind)[1]
    if get_origin(kind) is tuple:
        return get_args(kind)[0]
    if not (isinstance(kind, type) and issubclass(kind, Struct)):
        return None
    fields = msgspec.structs.fields(kind)
    return next((_plain(field.type) for field in fields if field.name == key), None)


def _plain(kind: Any) -> Any:  # noqa: ANN401  a type
    """Return a type without its annotations and without None."""
    kind = get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
    if get_origin(kind) is UnionType:
        return next(each for each in get_args(kind) if each is not type(None))
    return kind
