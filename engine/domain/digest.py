"""Digests that confirm a plan: the same text as long as the plan would do the same."""

from __future__ import annotations

import hashlib
import json


def digest_of(*parts: object) -> str:
    """Return a digest of values that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("ascii")).hexdigest()
