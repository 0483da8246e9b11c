"""The settings that all processes of a home share, as they are stored: names, and text to values.

Another version may have written a value: what is unknown in it is left out.
"""

from __future__ import annotations

from engine.domain.fault import Fault
from engine.domain.model import Pause
from engine.domain.open_enum import unknown_allowed
from engine.domain.placement import NodePlaces
from engine.system.decoding import json_decoder

SLOTS, PAUSE, FAULTS, NODES = "slots", "pause", "faults", "nodes"
WORKED_IN = "worked in "
"""Begins the names of settings that hold a folder, in JSON, that an agent can write to."""
RULES_CHANGED = "approval rules"
"""The setting that changes with each approval rule that is added or removed."""


def pause_from(text: str | None) -> Pause | None:
    """Read the pause of the queue; raises `msgspec.MsgspecError`."""
    with unknown_allowed():
        return json_decoder(Pause)(text) if text else None


def faults_from(text: str | None) -> tuple[Fault, ...]:
    """Read the faults of the supervising engine; raises `msgspec.MsgspecError`."""
    with unknown_allowed():
        return json_decoder(tuple[Fault, ...])(text) if text else ()


def nodes_from(text: str | None) -> NodePlaces:
    """Read the places on nodes; raises `msgspec.MsgspecError`."""
    with unknown_allowed():
        return json_decoder(NodePlaces)(text) if text else NodePlaces()
