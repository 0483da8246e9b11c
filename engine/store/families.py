"""Families of runs: a run that a run starts is placed below it, in the transaction that adds it."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from engine.domain.children import USUAL_LIMITS, ChildLimits, top_of, with_parent
from engine.domain.errors import user_error
from engine.domain.model import RunSpec
from engine.domain.text import printable_name
from engine.store import codec

_PARENT = "SELECT spec, state, id FROM runs WHERE id = ?"
_FAMILY = "SELECT count(*) FROM runs WHERE top = ?"


def placed(db: sqlite3.Connection, spec: RunSpec, limits: ChildLimits | None) -> RunSpec:
    """Return a spec with the ancestors that its parent implies; raises `UserError` at a limit."""
    if spec.parent is None:
        return replace(spec, ancestors=())
    row = db.execute(_PARENT, (spec.parent,)).fetchone()
    if row is None:
        shown = printable_name(spec.parent[:60])
        message = f"There is no run {shown}, which would be the parent."
        raise user_error("RUN_NOT_FOUND", message, "Name a run that works, or no parent.")
    parent = codec.run_from(*row)
    (family,) = db.execute(_FAMILY, (top_of(parent),)).fetchone()
    return with_parent(spec, parent, family, limits or USUAL_LIMITS)
