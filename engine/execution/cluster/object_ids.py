"""Ids of git's objects as they come in messages: whole, and never an option of git."""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.domain.errors import user_error

FORMATS = {"sha1": 40, "sha256": 64}
_HEX = re.compile(r"[0-9a-f]+")


def check_ids(ids: Iterable[str], object_format: str) -> None:
    """Raise `UserError` NODE_FAILED unless all are whole object ids."""
    length = FORMATS.get(object_format)
    if not all(len(one) == length and _HEX.fullmatch(one) for one in ids):
        raise user_error("NODE_FAILED", "A message of the cluster has an invalid object id.")
