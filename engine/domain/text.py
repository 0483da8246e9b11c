"""Outside text made safe to show, once, at the edge.

Agents, files and prompts may hold terminal escape sequences (ECMA-48), bidirectional controls
(Unicode TR 36, "Trojan Source") and bytes that are not text. None of it may reach a screen.
"""

from __future__ import annotations

from engine.domain.late_pattern import LatePattern

_ESCAPES = LatePattern(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI … final byte: colours, cursor moves
    # OSC, DCS …: none reaches over the start of another: a row of them is read once.
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[ -/]*[0-~]"  # two-character escapes
)
_HIDDEN = (
    "\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff"
)
# Fillers, joiners, soft hyphens, variation selectors: harmless, but two texts that differ only in
# them look the same.
INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u3164\ufe00-\ufe0f\uffa0"
    "\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0100-\U000e01ef"
)
"""Characters that take no room on a screen, as the inside of a regular expression's `[…]`."""
_INVISIBLE = LatePattern(f"[{INVISIBLE}]")
_UNSAFE = LatePattern(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{_HIDDEN}]")
_UNSAFE_IN_LINE = LatePattern(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff{_HIDDEN}{INVISIBLE}]")
_UNSAFE_IN_LINES = LatePattern(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{_HIDDEN}{INVISIBLE}]")

_ESCAPED = LatePattern(r"\\(?:[ntr]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r"}
_PLAIN = bytes([*b"\t\n", *range(0x20, 0x7F)])
_SHORT = 60
"""Up to so many characters, `isprintable` is quicker than to remove all plain ones."""


def printable(text: str, limit: int | None = None) -> str:
    """Return `text` without anything that could act on a terminal; newlines and tabs stay.

    Escape sequences vanish, other control characters become U+FFFD. With `limit`, longer text
    is cut, and the number of omitted characters is added.
    """
    if limit is not None and len(text) > limit:
        text = f"{text[:limit]}… ({len(text) - limit} characters more)"
    if text.isascii() and (
        (len(text) <= _SHORT and text.isprintable())  # as most are
        or not text.encode().translate(None, _PLAIN)
    ):
        return text
    if not _UNSAFE.compiled.search(text):
        return text
    text = text.replace("\r\n", "\n")
    return _UNSAFE.compiled.sub("\ufffd", _ESCAPES.compiled.sub("", text))


def _is_plain(text: str) -> bool:
    """Return whether a text is ASCII without controls, as most is; much quicker than a search."""
    return text.isascii() and not text.encode().translate(None, _PLAIN)


def visible(text: str) -> str:
    """Return `text` as `printable` does, and without characters that cannot be seen."""
    text = printable(text)
    return text if text.isascii() else _INVISIBLE.compiled.sub("", text)


def escaped(text: str) -> str:
    """Return `text` with every unsafe or invisible character as a backslash escape.

    Nothing is removed, so that the content of a file can be judged; newlines and tabs stay.
    """
    if _is_plain(text) or not _UNSAFE_IN_LINES.compiled.search(text):
        return text
    return _UNSAFE_IN_LINES.compiled.sub(lambda found: _escaped(found[0]), text)


def one_line(text: str, limit: int = 200) -> str:
    """Return the first non-empty line of `text`, printable and at most `limit` long."""
    text = text[: limit * 20]
    if text.isascii() and text.isprintable():  # one line, of which the only white space is spaces
        words = text if "  " not in text and text.strip() == text else " ".join(text.split())
        return words if len(words) <= limit else _cut(words, limit)
    for line in printable(text).splitlines():
        words = " ".join(line.split())
        if words:
            return words if len(words) <= limit else _cut(words, limit)
    return ""


def _cut(text: str, limit: int) -> str:
    return text[: limit - 1] + "…"


def printable_name(name: str) -> str:
    """Return a file name with every unsafe character as a backslash escape, unmistakably."""
    if (name.isascii() and name.isprintable()) or not _UNSAFE_IN_LINE.compiled.search(name):
        return name
    return _UNSAFE_IN_LINE.compiled.sub(lambda found: _escaped(found[0]), name)


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, from os.fsdecode
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")


def bytes_of_name(path: str) -> bytes | None:
    """Return a path as the file system has it; None where no file can have such a name."""
    try:
        name = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
    return None if b"\0" in name else name


def names_shown_as(shown: str) -> list[str]:
    """Return the file names that `printable_name` may have written so, the literal one first.

    A shell has no simple way to type bytes that are not UTF-8: a name can be copied as it is shown.
    """
    if "\\" not in shown:
        return [shown]
    as_bytes = _ESCAPED.compiled.sub(lambda found: _unescaped(found[0], as_byte=True), shown)
    as_text = _ESCAPED.compiled.sub(lambda found: _unescaped(found[0], as_byte=False), shown)
    return list(dict.fromkeys((shown, as_bytes, as_text)))


def _unescaped(escape: str, *, as_byte: bool) -> str:
    if escape[1:] in _LETTERS:
        return _LETTERS[escape[1:]]
    code = int(escape[2:], 16)
    if as_byte and escape[1] == "x" and code >= 0x80:
        return chr(0xDC00 + code)
    return chr(code) if code <= 0x10FFFF else escape


def size(number: float) -> str:
    """Write a number of bytes as `512 B`, `1.2 KiB`, `3.4 GiB`."""
    if number < 1024:
        return f"{int(number)} B"
    for unit in ("KiB", "MiB", "GiB"):
        number /= 1024
        if number < 1023.95:
            return f"{number:.1f} {unit}"
    return f"{number / 1024:.1f} TiB"


def is_utf8(text: str) -> bool:
    """Return whether a text can be encoded: it holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
