"""Words of the command line as one filter of runs."""

from __future__ import annotations

from collections.abc import Iterable

import click

from tui.models.filters import filter_problem


def filter_text(terms: Iterable[str]) -> str:
    """Return the filter that the words are; raises `click.UsageError` for an unknown value."""
    text = " ".join(map(_quoted, terms))
    if problem := filter_problem(text):
        raise click.UsageError(problem)
    return text


def _quoted(term: str) -> str:
    """Return a word of the command line as one term of the filter."""
    if not any(map(str.isspace, term)) or '"' in term:
        return term
    word = term.lstrip("!")
    denied = term.removesuffix(word)
    name, colon, value = word.partition(":")
    return f'{denied}{name}:"{value}"' if colon and name.isalpha() else f'{denied}"{word}"'
