"""Matching of typed words: the beginning of a word, or a close spelling of one."""

from __future__ import annotations

import re
from collections.abc import Sequence

SHORTEST_CLOSE = 5
"""Letters of the shortest word that may be misspelt: shorter words differ in one letter only."""
SHORTEST_REPLACED = 7
"""Letters of the shortest word with a wrong letter: `clone` must not find `close`."""


def begins(word: str, text: str) -> bool:
    """Return whether a word of the text begins with `word`; both are in small letters."""
    return re.search(rf"(?<![^\W_]){re.escape(word)}", text) is not None


def all_begin(words: Sequence[str], text: str) -> bool:
    """Return whether each of the words begins a word of the text."""
    return all(begins(word, text) for word in words)


def all_close(words: Sequence[str], text: str) -> bool:
    """Return whether each of the words begins a word of the text, or is a close spelling of one."""
    known = set(re.findall(r"[^\W_]+", text))
    return all(begins(word, text) or any(is_close(word, each) for each in known) for word in words)


def is_close(typed: str, word: str) -> bool:
    """Return whether one slip leads from a word to what was typed, after the first letter.

    A slip is a letter too many or too few, two letters swapped, or, in long words, a wrong letter.
    """
    shorter, longer = sorted((typed, word), key=len)
    if len(shorter) < SHORTEST_CLOSE or len(longer) - len(shorter) > 1 or typed[0] != word[0]:
        return False
    same = next((n for n, (a, b) in enumerate(zip(typed, word, strict=False)) if a != b), None)
    if same is None:
        return True
    if len(typed) != len(word):
        return shorter[same:] == longer[same + 1 :]
    swapped = typed[same : same + 2] == word[same : same + 2][::-1]
    if swapped and typed[same + 2 :] == word[same + 2 :]:
        return True
    return len(word) >= SHORTEST_REPLACED and typed[same + 1 :] == word[same + 1 :]
