"""Words to search for, and the JSON object of what was found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.domain.events import iso
from engine.domain.search import SearchResult


def search_text(words: Iterable[str]) -> str:
    """Return words as one text to search for; one that has spaces is a phrase."""
    return " ".join(f'"{word}"' if _is_phrase(word) else word for word in words)


def _is_phrase(word: str) -> bool:
    return '"' not in word and len(word.split()) > 1


def found_json(found: SearchResult) -> dict[str, Any]:
    """Return what was found as the JSON object of the public contract."""
    hits = [
        {
            "run": hit.run,
            "title": hit.title,
            "project": hit.project,
            "status": hit.status.value,
            "seq": hit.seq,
            "at": iso(hit.at),
            "what": hit.what,
            "text": hit.text,
            "marks": [list(mark) for mark in hit.marks],
        }
        for hit in found.hits
    ]
    return {"hits": hits, "more": found.more, "behind": found.behind}
