"""Batches found by the names that a user types."""

from __future__ import annotations

from collections.abc import Sequence

from engine.domain import nearest
from engine.domain.batch import Batch
from engine.domain.errors import user_error
from engine.domain.text import printable_name

NAMED = 8


def named_batch(name: str, known: Sequence[Batch]) -> Batch:
    """Return the batch that `name` means: its id, a unique prefix of it, or `@last`.

    `known` are all batches, newest first. Raises `UserError` BATCH_NOT_FOUND.
    """
    exact = [each for each in known if each.id == name]
    found = exact or [each for each in known if name and each.id.startswith(name)]
    if name == "@last":
        found = known[:1]
    if len(found) == 1:
        return found[0]
    shown = printable_name(name[:60])
    if not found:
        meant = nearest.hint(name, [each.id for each in known])
        raise user_error("BATCH_NOT_FOUND", f"There is no batch `{shown}`.{meant}")
    listed = ", ".join(each.id for each in found[:NAMED])
    more = " and more" if len(found) > NAMED else ""
    raise user_error("BATCH_NOT_FOUND", f"`{shown}` could mean {listed}{more}.")
