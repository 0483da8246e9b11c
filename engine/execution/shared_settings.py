"""Settings that all processes of one home share: the slots, the pause, the faults, the nodes."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace

import msgspec

from engine.domain.account_choice import holds, without_automatic
from engine.domain.fault import Fault
from engine.domain.messages import Message, of_pause
from engine.domain.model import Pause
from engine.domain.placement import NodePlaces
from engine.store import shared_values
from engine.store.shared_values import FAULTS, NODES, PAUSE, RULES_CHANGED, SLOTS, WORKED_IN
from engine.store.store import Store
from engine.system.environment import distrust

_log = logging.getLogger(__name__)


class SharedSettings:
    """The queue's settings, kept in the database; `refresh` after anybody may have changed them."""

    def __init__(self, store: Store, slots: int) -> None:
        self._store = store
        self._default_slots = slots
        self.slots = slots
        self.pause: Pause | None = None
        self.faults: tuple[Fault, ...] = ()
        """Faults of the supervising engine, as last reported."""
        self.nodes = NodePlaces()
        """Places on the nodes, as the supervising engine saw them last."""
        self._rules_mark: str | None = None

    async def refresh(self) -> bool:
        """Read the stored settings, and return whether they changed."""
        before = self._state
        stored = await self._store.settings()
        names = (name for name in stored if name.startswith(WORKED_IN))
        distrust(json.loads(name.removeprefix(WORKED_IN)) for name in names)
        self.slots = _number(stored.get(SLOTS)) or self._default_slots
        self.pause = _pause(stored.get(PAUSE))
        self.faults = _faults(stored.get(FAULTS))
        self.nodes = _nodes(stored.get(NODES))
        self._rules_mark = stored.get(RULES_CHANGED)
        return before != self._state

    @property
    def _state(self) -> tuple[object, ...]:
        return self.slots, self.pause, self.faults, self.nodes, self._rules_mark

    async def set_slots(self, slots: int) -> None:
        """Keep a number of slots, for all processes and for later."""
        await self._store.change_setting(SLOTS, lambda _: str(slots))
        await self.refresh()

    async def set_faults(self, faults: tuple[Fault, ...]) -> None:
        """Show to all processes what fails in this one, which supervises."""
        if _shown(faults) == _shown(self.faults):
            return
        text = msgspec.json.encode(faults).decode() if faults else None
        await self._store.change_setting(FAULTS, lambda _: text)
        self.faults = faults

    async def set_nodes(self, nodes: NodePlaces | None) -> bool:
        """Show the places on nodes to all processes; return whether they changed."""
        if (nodes or NodePlaces()) == self.nodes:
            return False
        text = msgspec.json.encode(nodes).decode() if nodes else None
        await self._store.change_setting(NODES, lambda _: text)
        self.nodes = nodes or NodePlaces()
        return True

    async def set_pause(self, pause: Pause | None) -> None:
        """Pause the queue as the user asks, or with None let it go on."""

        def decide(known: Pause | None) -> Pause | None:
            if pause is None:
                return without_automatic(known, time.time())
            return replace(pause, accounts=known.accounts if known else ())

        await self.change_pause(decide, by_user=True)

    async def change_pause(
        self, decide: Callable[[Pause | None], Pause | None], *, by_user: bool = False
    ) -> None:
        """Make of the pause, as it is stored at that moment, what `decide` makes of it."""

        def change(text: str | None) -> str | None:
            pause = decide(_pause(text))
            return None if pause is None else msgspec.json.encode(pause).decode()

        def tells(before: str | None, after: str | None) -> Message | None:
            now = time.time()
            if _is_paused(before, now) or not _is_paused(after, now):
                return None  # another reason or a later end is not a change
            held = _pause(after)
            assert held is not None
            from secrets import token_hex

            return of_pause(held, token_hex(8), now, by_user=by_user)

        await self._store.change_setting(PAUSE, change, tells)
        await self.refresh()


def _shown(faults: tuple[Fault, ...]) -> list[tuple[str, str]]:
    """Return the part of the faults that others show: not how often each came by now."""
    return [(fault.task, fault.passing or fault.error) for fault in faults]


def _number(text: str | None) -> int | None:
    """Read the number of slots; one that cannot be read is none."""
    return int(text) if text and text.isascii() and text.isdigit() else None


def _pause(text: str | None) -> Pause | None:
    """Read the pause of the queue; one that cannot be read holds nothing up."""
    try:
        return shared_values.pause_from(text)
    except (msgspec.MsgspecError, RecursionError):
        _log.warning("the stored pause of the queue cannot be read")
        return None


def _nodes(text: str | None) -> NodePlaces:
    """Read the places on nodes that another process stored; another version may have."""
    try:
        return shared_values.nodes_from(text)
    except (msgspec.MsgspecError, RecursionError):
        return NodePlaces()


def _is_paused(text: str | None, now: float) -> bool:
    """Return whether the queue itself is paused: not only some of its accounts."""
    pause = _pause(text)
    return pause is not None and not (pause.accounts and not holds(pause, now))


def _faults(text: str | None) -> tuple[Fault, ...]:
    """Read the faults that another process stored; another version may have written them."""
    try:
        return shared_values.faults_from(text)
    except (msgspec.MsgspecError, RecursionError):
        return ()
