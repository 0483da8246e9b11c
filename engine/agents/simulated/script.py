"""The directive language: from the lines of a prompt to checked steps."""

from __future__ import annotations

import json
import math
import os
import re
import shlex

PREFIX = "sim:"
_ESCAPES = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U000[0-9a-fA-F]{5}|[abefnrtv0\\\"'])")
_LETTERS = {"a": 7, "b": 8, "e": 27, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "0": 0}


class ScriptError(Exception):
    """A directive that cannot be played; the text names the line and the fault."""


class ScriptStep:
    """One checked directive: its words and its options, or its free text."""

    def __init__(self, name: str, text: str, words: list[str], options: dict[str, str]) -> None:
        """Keep what was read; it is valid by now."""
        self.name = name
        self.text = text
        self.words = words
        self.options = options

    def number(self, name: str, default: float = 0.0) -> float:
        """Look an option up as a number."""
        return float(self.options.get(name, default))

    def whole(self, name: str, default: int = 0) -> int:
        """Look an option up as a whole number."""
        return int(self.options.get(name, default))


class DirectiveForm:
    """The form of a directive; words and options map to `whole`, `number` or `text`."""

    def __init__(
        self,
        *words: str,
        least: int | None = None,
        text: bool = False,
        options: dict[str, str] | None = None,
        needs: str = "",
    ) -> None:
        """Describe a form: `least` words are required, `text` means that free text ends it."""
        self.words = words
        self.least = len(words) if least is None else least
        self.text = text
        self.options = options or {}
        self.needs = needs


_TEXT = DirectiveForm(text=True)
_WHOLE = DirectiveForm("whole")
_NUMBER = DirectiveForm("number")
_NONE = DirectiveForm()
_FILE = DirectiveForm("text", text=True)
_COUNTS = {"input": "whole", "cached": "whole", "output": "whole", "reasoning": "whole"}
_WINDOWS = {"primary": "number", "window": "whole", "resets_in": "whole"}
_SECONDARY = {
    "secondary": "number",
    "secondary_window": "whole",
    "secondary_resets_in": "whole",
}

_JSON = ("form",)
"""Directives whose text is a JSON object."""

FORMS: dict[str, DirectiveForm] = {
    "speed": DirectiveForm("factor"),
    "wait": _NUMBER,
    "default": _NONE,
    "think": _TEXT,
    "say": _TEXT,
    "plan": _TEXT,
    "done": _WHOLE,
    "command": DirectiveForm(
        "text", options={"exit": "whole", "takes": "number", "output": "text"}
    ),
    "write": _FILE,
    "append": _FILE,
    "delete": DirectiveForm("text"),
    "search": _TEXT,
    "mcp": DirectiveForm("text", "text", options={"error": "text"}),
    "usage": DirectiveForm(options=_COUNTS),
    "limits": DirectiveForm(options={**_WINDOWS, **_SECONDARY}, needs="primary"),
    "numbered": DirectiveForm("whole", options={"every": "number", "from": "start"}),
    "flood": DirectiveForm("whole", options={"size": "whole"}),
    "bigline": _WHOLE,
    "raw": _TEXT,
    "rawcut": _TEXT,
    "unknown": _NONE,
    "warning": _TEXT,
    "reconnecting": _WHOLE,
    "network": _NONE,
    "fail": _TEXT,
    "stderr": _TEXT,
    "hang": _NONE,
    "crash": _NONE,
    "exit": _WHOLE,
    "ignore-term": _NONE,
    "deaf": _NONE,
    "ask": DirectiveForm("text", options={"reason": "text", "takes": "number", "writes": "text"}),
    "ask-patch": _FILE,
    "ask-rights": DirectiveForm("text", options={"reason": "text"}),
    "ask-tool": DirectiveForm("text", "text"),
    "question": DirectiveForm("text", "text", options={"secret": "text"}),
    "form": _TEXT,
    "ask-unknown": DirectiveForm("text"),
    "stream": DirectiveForm("whole", options={"every": "number"}),
    "until": DirectiveForm("event"),
    "background": _NUMBER,
    "child": DirectiveForm("child", "child", "child", least=0),
    "attempt": DirectiveForm("attempt"),
    "account": DirectiveForm("text"),
    "end": _NONE,
}


DEFAULT = "default"
"""The account of the home that no account has."""


def account_of(home: str) -> str:
    """Return the account that a home belongs to, by its name: `simulated-work` is of `work`."""
    return os.path.basename(home).partition("-")[2] or DEFAULT  # noqa: PTH119  no pathlib at start


def unescape(text: str, *, as_bytes: bool = False) -> str:
    r"""Replace Python's escapes; `as_bytes` keeps `\xff` one byte, as a surrogate escape."""

    def replace(match: re.Match[str]) -> str:
        found = match[1]
        if found[0] not in "xuU":
            return chr(_LETTERS[found]) if found in _LETTERS else found
        code = int(found[1:], 16)
        if as_bytes and found[0] == "x" and code > 0x7F:
            code += 0xDC00
        return chr(code)

    return _ESCAPES.sub(replace, text)


def directives(prompt: str) -> list[str]:
    """Find the lines of a prompt that are directives, without their prefix."""
    # Only \n ends a line: splitlines() would also cut at characters that a text may hold.
    lines = (line.strip(" \t\r") for line in prompt.split("\n"))
    return [line[len(PREFIX) :].strip() for line in lines if line.startswith(PREFIX)]


def has_attempts(lines: list[str]) -> bool:
    """Return whether the script depends on how often it was played, or under which account."""
    return any(line.split(None, 1)[:1] in (["attempt"], ["account"]) for line in lines)


def parse(lines: list[str], attempt: int, account: str = DEFAULT) -> list[ScriptStep]:
    """Check every line and keep those of this attempt or account; raises ScriptError."""
    steps: list[ScriptStep] = []
    is_open = is_ours = False
    for line in lines:
        step = _parse_line(line)
        if step.name == "attempt":
            is_open, is_ours = True, _is_meant(step.words[0], attempt)
        elif step.name == "account":
            is_open, is_ours = True, step.words[0] == account
        elif step.name == "end":
            if not is_open:
                raise ScriptError("sim: end: there is no block to end")
            is_open = False
        elif is_ours or not is_open:
            steps.append(step)
    return steps


def _is_meant(which: str, attempt: int) -> bool:
    first = int(which.removesuffix("+"))
    return attempt >= first if which.endswith("+") else attempt == first


def _parse_line(line: str) -> ScriptStep:
    name, _, rest = line.partition(" ")
    form = FORMS.get(name)
    try:
        if form is None:
            raise ValueError(f"unknown directive {name!r}")
        return _parse_form(name, form, rest.strip())
    except ValueError as fault:
        raise ScriptError(f"{PREFIX} {line}: {fault}") from None


def _parse_form(name: str, form: DirectiveForm, rest: str) -> ScriptStep:
    if form.text and form.words:
        word, text = _split_first(rest)
        return ScriptStep(name, unescape(text), [word], {})
    if form.text:
        if not rest:
            raise ValueError("text is missing")
        _check_json(name, rest)
        text = rest if name in _JSON else unescape(rest, as_bytes=name.startswith("raw"))
        return ScriptStep(name, text, [], {})
    words: list[str] = []
    options: dict[str, str] = {}
    for token in shlex.split(rest):
        key, equals, value = token.partition("=")
        if equals and key in form.options:
            options[key] = _checked(form.options[key], unescape(value))
        elif len(words) < len(form.words):
            words.append(_checked(form.words[len(words)], token))
        else:
            raise ValueError(f"unexpected {token!r}")
    if len(words) < form.least or (form.needs and form.needs not in options):
        raise ValueError(f"{form.needs or 'a word'} is missing")
    return ScriptStep(name, "", words, options)


def _check_json(name: str, text: str) -> None:
    if name in _JSON and not isinstance(json.loads(text), dict):
        raise ValueError("a JSON object is needed")


def _split_first(rest: str) -> tuple[str, str]:
    if rest[:1] in ("'", '"'):
        word, found, text = rest[1:].partition(rest[0])
        if not found:
            raise ValueError("No closing quotation")
    else:
        word, _, text = rest.partition(" ")
    if not word:
        raise ValueError("a path is missing")
    return word, text.strip()


def _checked(kind: str, value: str) -> str:
    if kind == "start" and value == "last":
        return value
    if kind == "event" and value != "message":
        raise ValueError(f"{value!r} is not something to wait for")
    if kind == "child" and value in ("ignore-term", "new-session"):
        return value
    if kind in ("whole", "start", "attempt"):
        digits = value.removesuffix("+") if kind == "attempt" else value
        if not (digits.isascii() and digits.isdigit()):
            raise ValueError(f"{value!r} is not a whole number")
    elif kind in ("number", "factor", "child"):
        number = float(value)
        if not math.isfinite(number) or number < 0 or (kind == "factor" and not number):
            raise ValueError(f"{value!r} is not a time or an amount")
    return value
