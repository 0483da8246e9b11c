"""A template's texts filled in: Jinja, cut down to what can neither hang, grow nor look around.

Texts, `{{ names }}`, conditions and a few filters; no loops, calls, attributes or arithmetic, so
that a template from anybody can be rendered before it is trusted.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

FILTERS = ("capitalize", "length", "lower", "title", "trim", "upper")
LIMIT_CHARACTERS = 256 * 1024
LIMIT_TOKENS = 8000
"""Words and signs of a template's own language in a text: each takes kilobytes to compile."""
LIMIT_FILLED = 64 * LIMIT_CHARACTERS
"""Characters that a text may come to if every name in it were filled in."""
_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Concat,
    nodes.Filter,
    nodes.List,
    nodes.Tuple,
)


class TemplateTextError(Exception):
    """A text that cannot be used; `line` is the one in the text, from 1."""

    def __init__(self, what: str, line: int = 1) -> None:
        super().__init__(what)
        self.what = what
        self.line = line


@lru_cache(1)
def _environment() -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    made.globals.clear()
    made.filters = {name: made.filters[name] for name in FILTERS}
    made.filters["quote"] = lambda value: shlex.quote(str(value))
    made.tests.clear()
    return made


@lru_cache(512)
def token_count(text: str) -> int:
    """Return how many words and signs of a template a text has, as far as it can be read."""
    try:
        return sum(1 for _ in islice(_environment().lex(text), LIMIT_TOKENS + 1))
    except TemplateSyntaxError:
        return 0  # it is not compiled either


@lru_cache(512)
def check(text: str, known: frozenset[str]) -> None:
    """Check a text that may use the names `known`; raises `TemplateTextError`."""
    environment = _environment()
    try:
        if token_count(text) > LIMIT_TOKENS:
            raise TemplateTextError(
                f"this has more than {LIMIT_TOKENS} words and signs of a template"
            )
        tree = environment.parse(text)
        for node in tree.find_all(nodes.Node):
            _check(node, known)
        if unknown := find_undeclared_variables(tree) - known:
            raise TemplateTextError(f"there is no parameter `{min(unknown)}`")
        environment.from_string(text)
    except TemplateSyntaxError as error:
        raise TemplateTextError(
            (error.message or "this is not a template").rstrip("."), error.lineno
        ) from error
    except (RecursionError, MemoryError, SyntaxError) as error:
        raise TemplateTextError("this is nested too deeply") from error
    except (TemplateError, TypeError, ValueError) as error:
        raise TemplateTextError(str(error) or "this is not a template") from error


@lru_cache(512)
def _compiled(text: str) -> Template:
    return _environment().from_string(text)


def _check(node: nodes.Node, known: frozenset[str]) -> None:
    if not isinstance(node, _ALLOWED):
        kind = type(node).__name__
        raise TemplateTextError(
            f"{kind} is not allowed in templates: only names, `if` and filters", node.lineno
        )
    if isinstance(node, nodes.Name) and (node.ctx != "load" or node.name not in known):
        raise TemplateTextError(f"there is no parameter `{node.name}`", node.lineno)
    if isinstance(node, nodes.Filter) and (node.name not in _environment().filters or node.args):
        allowed = ", ".join(sorted(_environment().filters))
        raise TemplateTextError(f"the filter `{node.name}` is not one of {allowed}", node.lineno)


def render(text: str, values: Mapping[str, Any]) -> str:
    """Fill a text in; raises `TemplateTextError`."""
    check(text, frozenset(values))
    if len(text) + _most_filled(text, values) > LIMIT_FILLED:
        raise TemplateTextError(f"this is more than {LIMIT_CHARACTERS} characters long")
    try:
        filled = _compiled(text).render(values)
    except (TemplateError, TypeError, ValueError, RecursionError) as error:
        raise TemplateTextError(str(error) or "this cannot be filled in") from error
    if len(filled) > LIMIT_CHARACTERS:
        raise TemplateTextError(f"this is more than {LIMIT_CHARACTERS} characters long")
    return filled


def _most_filled(text: str, values: Mapping[str, Any]) -> int:
    """Return how many characters the names in a text come to together, at most."""
    lengths = {name: len(str(value)) for name, value in values.items()}
    names = _environment().parse(text).find_all(nodes.Name)
    return sum(lengths.get(name.name, 0) for name in names)


def holds(condition: str, value: object) -> bool:
    """Return whether a condition such as `0 < value <= 50` holds; raises `TemplateTextError`."""
    return render(f"{{% if {condition} %}}1{{% endif %}}", {"value": value}) == "1"


def check_condition(condition: str) -> None:
    """Check a condition on `value`; raises `TemplateTextError`."""
    check(f"{{% if {condition} %}}1{{% endif %}}", frozenset({"value"}))
