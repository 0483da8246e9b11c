"""The words of shell commands that may name files, found generously.

A shell has many ways to write one name: quotes, escapes, `././`, `$PWD/`, a glob. No attempt is
made to run the shell's rules: every reading of a word is returned, and a file that any of them
names counts as named.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

MOST_WORDS = 2000
LONGEST_COMMAND = 10_000
_NESTED = 3
"""Depth to which commands within commands are read: `sh -c 'sh -c "…"'`."""
_HERE = re.compile(r"\$PWD|\$\{PWD\}|\$\(\s*pwd\s*\)|`\s*pwd\s*`")
_HOME = re.compile(r"\$HOME(?![A-Za-z0-9_])|\$\{HOME\}")
_EXPANDED = re.compile(r"\$\([^()]*\)|`[^`]*`|\$\{[^{}]*\}|\$[A-Za-z0-9_@*#?!-]+|\{[^{}\s]*\}")
_QUOTED = re.compile(r"\$(?=['\"])|[\"'\\]")
_BLANKS = " \t\n"
"""Blanks of a shell; other kinds of space are parts of names."""
_BETWEEN = re.compile(r"[ \t\n;|&<>()`]+")
_WITHIN = re.compile(r"[=:,@]")
_MODULE = re.compile(r"(?:^|\s)-m[\s'\"]*([A-Za-z_][\w.]*)")
_PIPES = re.compile(r"\|\||&&|[;&\n()]")
_READERS = frozenset(
    (
        *("test", "[", "[[", "true", "false", ":", "echo", "printf", "ls", "stat"),
        *("grep", "egrep", "fgrep", "cat", "head", "tail", "wc", "diff", "cmp"),
    )
)
"""Programs that only read the files they are given, and run none of them."""
SYSTEM = ("/bin/", "/usr/", "/sbin/", "/dev/")
"""Folders of the system: naming a file there is nothing unusual."""
_PREFIXES = frozenset(["!", "{", "if", "then", "elif", "else", "while", "until", "do", "time"])
_REDEFINED = re.compile(r"PATH\b|\balias\b|\bfunction\b|\(\s*\)|\beval\b|\$\{?_(?!\w)")
"""Shell words that may change a program's meaning, or reuse its last word (`$_`)."""
_PIPE = re.compile(r"(?<!\|)\|(?!\|)")
_COMPOUND = re.compile(
    r"(?:^|[;&|\n])[ \t!]*(?:time\s+(?:-p\s+)?)?"
    r"(?:[{}]|if|then|fi|while|until|for|do|done|case|esac)(?=[\s;&|<>]|$)"
    r"|[()]|\|\s*(?:\n|&|$)"
)
_FETCHERS = re.compile(
    r"(?<![\w./-])(?:curl|wget|ssh|scp|sftp|ftp|nc|ncat|netcat|socat|telnet|rsync|aria2c)(?![\w-])"
    r"|\bgit\b[^;|&\n]{0,200}\b(?:clone|fetch|pull|push|submodule)\b|(?:https?|ftp|ssh|git)://|/dev/tcp/"
)


@dataclass(frozen=True, slots=True)
class CommandWords:
    """The possible meanings of a command's words."""

    run: tuple[str, ...] = ()
    """Words that may name a file that is run."""
    read: tuple[str, ...] = ()
    """Words that name files which are only read: `grep -q done notes.md`."""
    is_cut: bool = False
    """True if the command has more words than are returned."""


@lru_cache(256)
def words_of(command: str) -> CommandWords:
    """Return the words of a command that may name files."""
    is_cut = len(command) > LONGEST_COMMAND
    command = command[:LONGEST_COMMAND].replace("\\\n", "")
    command = _HOME.sub("~", _HERE.sub(".", command))
    run: dict[str, None] = {}
    read: dict[str, None] = {}
    is_plain = not (_REDEFINED.search(_QUOTED.sub("", command)) or _joins(command))
    for part in dict.fromkeys(_PIPES.split(command)):
        kept = read if is_plain and _only_reads(part) else run
        kept.update(dict.fromkeys(_readings(part, _NESTED)))
    # A quoted operator splits a command in the wrong place: the whole is read once more.
    if any(quote in command for quote in "\"'\\"):
        whole = dict.fromkeys(_readings(command, _NESTED))
        run.update({word: None for word in whole if word not in read})
    is_cut = is_cut or len(run) + len(read) > MOST_WORDS
    return CommandWords(tuple(run)[:MOST_WORDS], tuple(read)[:MOST_WORDS], is_cut)


def uses_network(command: str) -> bool:
    """Return whether a command seems to use the network."""
    return bool(_FETCHERS.search(_QUOTED.sub("", command)))


def leaves_folder(command: str, root: str) -> bool:
    """Return whether a command names a path outside the folder `root`."""
    words = words_of(command)
    return any(_leads_out(word, root) for word in (*words.run, *words.read))


def _leads_out(word: str, root: str) -> bool:
    if word.startswith(("/", "~/")):
        return len(word) > 1 and not word.startswith((*SYSTEM, f"{root}/")) and word != root
    return ".." in word.split("/")


def _joins(command: str) -> bool:
    """Return whether a program may run what another part reads: `(cat x) | sh`, `sh <(cat x)`."""
    return "<(" in command or bool(_PIPE.search(command) and _COMPOUND.search(command))


def _only_reads(part: str) -> bool:
    """Return whether a pipeline only reads the files that it names."""
    if re.search(r"[>$`]", part):
        return False
    heads = [_head(one) for one in part.split("|")]
    return all(head in _READERS for head in heads)


def _head(words: str) -> str:
    for word in re.split(f"[{_BLANKS}]+", words):
        if word and word not in _PREFIXES:
            return word
    return ":"


def _readings(text: str, depth: int) -> Iterator[str]:
    """Return every reading of the words of a text."""
    for name in _MODULE.findall(text):
        path = name.replace(".", "/")
        yield from (f"{path}.py", f"{path}/__main__.py", f"{path}/__init__.py")
    for each in dict.fromkeys(_split(text)):
        yield from _forms(each)
        if depth and each != text and re.search(r"[\s;|&'\"`$]", each):
            yield from _readings(each, depth - 1)


def _split(text: str) -> Iterator[str]:
    """Split a text into words, with its quotes as a shell reads them, and without any."""
    for punctuation in (True, False):
        lexer = shlex.shlex(text, posix=True, punctuation_chars=punctuation)
        lexer.whitespace, lexer.whitespace_split, lexer.commenters = _BLANKS, True, ""
        try:
            yield from lexer
        except ValueError:  # quotes that do not end: the shell reports it, or they are data
            break
    yield from _BETWEEN.split(_QUOTED.sub("", text))
    yield from re.split(r"[ \t\n;|&<>()`\"']+", text)


def _forms(word: str) -> Iterator[str]:
    """Return a word, the parts that options and lists have, and what expansions could make it."""
    parts = () if "://" in word else _WITHIN.split(word)
    for part in (word, *parts):
        if not part or len(part) > 4096:
            continue
        yield part
        if (wild := _EXPANDED.sub("*", part)) != part:
            yield wild
        if part.startswith("-") and len(part) > 2:
            yield part[2:]  # `-ftools/x.sh`
