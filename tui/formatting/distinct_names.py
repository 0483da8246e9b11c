"""Short names of runs whose titles begin alike: what distinguishes a run comes first."""

from __future__ import annotations

from collections.abc import Mapping

from tui.terminal.cells import crop

ID_END = 4
"""Characters at the end of an id that name a run where its title does not."""


def distinct_names(titles: Mapping[str, str], width: int) -> dict[str, str]:
    """Return a name for each run id that differs from the others within `width` cells.

    A title that is unique so far stays. Of titles that begin alike, the common words are left
    out. Where that is not enough, the end of the id comes first.
    """
    names: dict[str, str] = {}
    for alike in _by_beginning(titles, width):
        if len(alike) > 1:
            shared = _shared_words(list(alike.values()))
            alike = {run: title[shared:] or title for run, title in alike.items()}
        for same in _by_beginning(alike, width):
            is_unique = len(same) == 1
            names |= same if is_unique else {run: _with_id(run, titles[run]) for run in same}
    return names


def _with_id(run: str, title: str) -> str:
    return f"{run[-ID_END:]} {title}"


def _by_beginning(titles: Mapping[str, str], width: int) -> list[dict[str, str]]:
    """Return the titles in groups that look the same within `width` cells."""
    found: dict[str, dict[str, str]] = {}
    for run, title in titles.items():
        found.setdefault(crop(title, width), {})[run] = title
    return list(found.values())


def _shared_words(titles: list[str]) -> int:
    """Return the length of the words that all titles begin with."""
    first, last = min(titles), max(titles)
    pairs = enumerate(zip(first, last, strict=False))
    shared = next((at for at, (one, other) in pairs if one != other), len(first))
    return first.rfind(" ", 0, shared) + 1
