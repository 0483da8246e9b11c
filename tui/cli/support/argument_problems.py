"""Problems of JSON that a client sent, in plain words instead of those of the decoder."""

from __future__ import annotations

import re

_PLACE = re.compile(r"(?P<what>.*?) - at `(?:key in )?\$\.?(?P<place>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_VALUE = re.compile(r"Invalid enum value (?P<value>.*)", re.DOTALL)
_TYPE = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<found>[^`]+)`")
_SIZE = re.compile(r"Expected `(?P<kind>\w+)`(?: \| null)? of length (?P<sign><=|>=) (?P<n>\d+)")
_BOUND = re.compile(r"Expected `(?P<kind>\w+)` (?P<sign><=|>=|<|>) (?P<n>\S+)")
_PATTERN = re.compile(r"Expected `str` matching regex (?P<pattern>.*)", re.DOTALL)
_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_SIGNS = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than"}


def argument_problem(message: str) -> str:
    """Return the decoder's message about an object in plain words, as a sentence."""
    at = _PLACE.fullmatch(message)
    what, place = (at["what"], at["place"]) if at else (message, "")
    inner = f"{place}." if place else ""
    if found := _MISSING.fullmatch(what):
        return f"`{inner}{found['name']}` is missing."
    if found := _UNKNOWN.fullmatch(what):
        return f"`{inner}{found['name']}` is unknown."
    words = requirement(what)
    return f"{f'`{place}`' if place else 'The object'} {words}." if words else message


def requirement(what: str) -> str:
    """Return the problem of one value, as the rest of a sentence; empty: unknown."""
    if found := _TYPE.fullmatch(what):
        return f"has to be {_kinds(found['wanted'])}, not {_kinds(found['found'])}"
    if found := _SIZE.fullmatch(what):
        unit = "characters" if found["kind"] == "str" else "entries"
        return f"has to have {_SIGNS[found['sign']]} {found['n']} {unit}"
    if found := _BOUND.fullmatch(what):
        return f"has to be {_SIGNS[found['sign']]} {found['n']}"
    if found := _PATTERN.fullmatch(what):
        return f"does not have the form {found['pattern']}"
    if found := _VALUE.fullmatch(what):
        return f"cannot be {found['value']}"
    return ""


def _kinds(names: str) -> str:
    return " or ".join(_KINDS.get(name, name) for name in names.split(" | "))
