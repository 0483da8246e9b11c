"""Shell commands read strictly, to approve them, and widely, to deny them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_BARE = r"[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+:,./=-]*"
# A quoted word is quoted whole: parts of words in quotes are read differently by different shells.
_SINGLE = r"'[^'\x00-\x1f\x7f]*'"
_DOUBLE = r'"[^"$`\\!\x00-\x1f\x7f]*"'
_WORD = re.compile(f"(?:{_BARE}|{_SINGLE}|{_DOUBLE})(?= |$)")
_PROGRAM = re.compile(r"[A-Za-z0-9_./+][A-Za-z0-9_./+-]*")
_SUBCOMMAND = re.compile(r"[a-z][a-z0-9-]*")

RESERVED = frozenset(
    "case coproc do done elif else esac fi for function if in select then time until while".split()  # noqa: SIM905  easier to read
)
"""Words of the shell's own language, never programs."""
BUILTINS = frozenset(
    """. : [ alias bg bind break builtin caller cd chdir command compgen complete compopt continue
    declare dirs disown echo enable eval exec exit export false fc fg getopts hash help history
    jobs kill let local logout mapfile newgrp popd printf pushd pwd read readarray readonly
    return set shift shopt source suspend test times trap true type typeset ulimit umask unalias
    unset wait""".split()  # noqa: SIM905  easier to read
)
"""Commands of the shell itself: some of them evaluate their arguments."""
LAUNCHERS = frozenset(
    """ash bash busybox chroot cmd csh dash doas env find fish flock ionice ksh nice nohup nsenter
    parallel pkexec powershell pwsh rbash script setsid sh ssh stdbuf strace su sudo tcsh time
    timeout unshare watch xargs zsh""".split()  # noqa: SIM905  easier to read
)
"""Programs that run any program that their arguments name."""
INTERPRETERS = frozenset(
    "awk bun deno gawk lua mawk node osascript perl php pypy python ruby tclsh".split()  # noqa: SIM905  easier to read
)
"""Programs that run the code in their arguments; with the name of a script, only that."""

_SEGMENTS = re.compile(r"[;&|()`\n\r]")
_BETWEEN = re.compile(r"[\s<>={}$,!;&|()`]+")
_QUOTES = re.compile(r"[\"'\\]")


def parse(script: str) -> tuple[str, ...] | None:
    """Return the arguments of a script that is one simple command; None for any other.

    Its words are bare or quoted whole. It has nothing that is expanded, redirected or assigned,
    so that every shell runs exactly these arguments.
    """
    words: list[str] = []
    at = 0
    while at < len(script):
        if script[at] == " ":
            at += 1
            continue
        found = _WORD.match(script, at)
        if found is None:
            return None
        text = found[0]
        words.append(text[1:-1] if text[0] in "'\"" else text)
        at = found.end()
    is_bare = bool(words) and script.lstrip(" ").startswith(words[0])
    if not is_bare or not _PROGRAM.fullmatch(words[0]) or words[0] in RESERVED:
        return None
    return tuple(words)


def runs_anything(prefix: Sequence[str]) -> bool:
    """Return whether commands that begin with these words can run any other program.

    They are shells, programs that start others, builtins, and interpreters without a script.
    """
    name = prefix[0].rpartition("/")[2]
    program = name.rstrip("0123456789.") or name
    if {name, program} & (BUILTINS | LAUNCHERS | RESERVED):
        return True
    if program not in INTERPRETERS:
        return False
    is_module = list(prefix[1:2]) == ["-m"] and len(prefix) > 2 and not prefix[2].startswith("-")
    return not is_module and (len(prefix) == 1 or prefix[1].startswith("-"))


def usual_prefix(words: Sequence[str]) -> tuple[str, ...]:
    """Return the program and its subcommand, if the command has one."""
    has_subcommand = len(words) > 1 and _SUBCOMMAND.fullmatch(words[1])
    return tuple(words[: 2 if has_subcommand else 1])


def begins_with(script: str, prefix: Sequence[str]) -> bool:
    """Return whether a script is one simple command that begins with exactly these words."""
    if not prefix or runs_anything(prefix):
        return False
    words = parse(script)
    return words is not None and words[: len(prefix)] == tuple(prefix)


def has_words(text: str) -> bool:
    """Return whether a text has a word that `contains` can find."""
    return bool(list(_words(_QUOTES.sub("", text))))


def contains(script: str, denied: str) -> bool:
    """Return whether the words of `denied` stand in one command of a script, in this order.

    Other words may stand between and around them. Quotes and backslashes are ignored; a script
    with quotes counts as one command, since what is quoted may be commands again.
    """
    wanted = [list(_words(part)) for part in _SEGMENTS.split(_QUOTES.sub("", denied))]
    wanted = [part for part in wanted if part]
    return bool(wanted) and all(_has(script, part) for part in wanted)


def _has(script: str, wanted: Sequence[str]) -> bool:
    joined = script.replace("\\\n", "")
    plain = _QUOTES.sub("", joined)
    parts = [plain] if plain != joined else _SEGMENTS.split(plain)
    return any(_in_order(_words(part), wanted) for part in parts)


def _words(text: str) -> Iterable[str]:
    return (word.casefold() for word in _BETWEEN.split(text) if word)


def _in_order(words: Iterable[str], wanted: Sequence[str]) -> bool:
    """Return whether all the words occur in this order; the first may be the end of a path."""
    left = list(wanted)
    for word in words:
        if not left:
            break
        is_program = len(left) == len(wanted)
        name = word.rpartition("/")[2] if is_program else word
        if left[0] == word or (is_program and left[0].rpartition("/")[2] == name):
            left.pop(0)
    return not left
