"""Entries of a tree that the tree before it lacks, as git lists them."""

from __future__ import annotations

SUBMODULE = b"160000"
_GONE = b"000000"
_LIST = ("ls-tree", "-r", "-t", "-z")
_DIFF = ("diff-tree", "-r", "-t", "-z", "--raw", "--no-abbrev", "--no-renames")

Entry = tuple[bytes, bytes, bytes]
"""An entry of a tree: its mode, its object, its path."""


def listing(before: str, tree: str) -> tuple[str, ...]:
    """Return the arguments with which git lists them; `before` is empty where there is none."""
    return (*_DIFF, before, tree) if before else (*_LIST, tree)


def listed(before: str, out: bytes) -> list[Entry]:
    """Return the entries in the output of `listing`, without those that are gone."""
    found = _changed(out) if before else _all(out)
    return [entry for entry in found if entry[0] != _GONE]


def _changed(out: bytes) -> list[Entry]:
    """Read the new sides of `diff-tree -z --raw`."""
    fields = out.split(b"\0")[:-1]
    words = (line.split(b" ") for line in fields[::2])
    return [(word[1], word[3], path) for word, path in zip(words, fields[1::2], strict=True)]


def _all(out: bytes) -> list[Entry]:
    """Read `ls-tree -z`."""
    lines = (line.split(b"\t", 1) for line in out.split(b"\0") if line)
    heads = ((head.split(b" "), path) for head, path in lines)
    return [(head[0], head[2], path) for head, path in heads]
