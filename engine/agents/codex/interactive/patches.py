"""Changes that a patch would make, as they are shown before it is approved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from engine.agents.codex.interactive.input_requests import proposed, within
from engine.agents.codex.interactive.wire import WireChange
from engine.agents.codex.translation import TEXT_LIMIT
from engine.domain.interaction import ProposedChange

_DIFFS = 2 * TEXT_LIMIT
_encode = msgspec.json.Encoder(order="sorted").encode
_CHANGES = {"add": "added", "update": "modified", "delete": "deleted"}


def proposed_changes(changes: Iterable[WireChange], root: str) -> tuple[ProposedChange, ...]:
    """Return the changes of a patch; a renamed file is two of them, so that both paths show."""
    room = _DIFFS
    found: list[ProposedChange] = []
    for change in changes:
        # A longer one stays longer than what is shown whole, and so is known as cut.
        diff = change.diff[: max(room, TEXT_LIMIT + 1)]
        room -= len(diff)
        found += _of_file(change, diff, root)
    return tuple(found)


def digest_of(changes: Iterable[WireChange], root: str) -> str:
    """Return the digest of the raw changes of a patch, with paths relative to the workspace.

    The changes as shown have escapes, and may be cut: different patches may look the same.
    """
    return hashlib.sha256(_encode([_raw(change, root) for change in changes])).hexdigest()


def _raw(change: WireChange, root: str) -> list[object]:
    kind = dict(change.kind)
    if isinstance(moved := kind.get("move_path"), str):
        kind["move_path"] = within(root, moved)
    return [within(root, change.path), kind, change.diff]


def _of_file(change: WireChange, diff: str, root: str) -> list[ProposedChange]:
    target = change.kind.get("move_path")
    if target is None:
        kind = _CHANGES.get(str(change.kind.get("type")), "modified")
        return [proposed(change.path, kind, diff, root)]
    moved = str(target)
    return [
        proposed(change.path, "renamed", f"renamed to {within(root, moved)}\n{diff}", root),
        proposed(moved, "added", f"renamed from {within(root, change.path)}\n", root),
    ]
