"""What all processes of one home share beside the runs: how many slots, and whether to wait."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from engine.domain.model import Pause
from engine.store.store import Store

_SLOTS, _PAUSE = "slots", "pause"
_decode = msgspec.json.Decoder(Pause).decode


class SharedSettings:
    """The queue's settings, kept in the database; `refresh` after anybody may have changed them."""

    def __init__(self, store: Store, slots: int) -> None:
        self._store = store
        self._default_slots = slots
        self.slots = slots
        self.pause: Pause | None = None

    async def refresh(self) -> bool:
        """Take over what is stored, and tell whether it is news."""
        before = (self.slots, self.pause)
        stored = await self._store.settings()
        self.slots = int(stored[_SLOTS]) if _SLOTS in stored else self._default_slots
        self.pause = _decode(stored[_PAUSE]) if _PAUSE in stored else None
        return before != (self.slots, self.pause)

    async def set_slots(self, slots: int) -> None:
        """Keep a number of slots, for all processes and for later."""
        await self._store.change_setting(_SLOTS, lambda _: str(slots))
        await self.refresh()

    async def set_pause(self, pause: Pause | None) -> None:
        """Pause the queue, or with None let it go on."""
        await self.change_pause(lambda _: pause)

    async def change_pause(self, decide: Callable[[Pause | None], Pause | None]) -> None:
        """Make of the pause, as it is stored at that moment, what `decide` makes of it."""

        def change(text: str | None) -> str | None:
            pause = decide(None if text is None else _decode(text))
            return None if pause is None else msgspec.json.encode(pause).decode()

        await self._store.change_setting(_PAUSE, change)
        await self.refresh()
