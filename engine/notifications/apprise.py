"""People, reached by an Apprise address: chat, mail, a phone, the desktop."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from engine.config.addresses import Address
from engine.domain.errors import user_error
from engine.domain.messages import DeliveryResult
from engine.notifications.message_text import words
from engine.notifications.receiver import DeliveryOutcome

LIMIT_S = 30.0


class AppriseReceiver:
    """Receiver of messages at one Apprise address."""

    is_for_people = True

    def __init__(self, name: str, address: Address, topics: tuple[str, ...]) -> None:
        self.name = name
        self.shown = address.shown
        self.topics = tuple(map(str, topics))
        self._address = address

    async def send(self, message: str, payload: str) -> DeliveryOutcome:
        """Send a message in words; Apprise has its own time limits, and this one besides."""
        del message
        if not is_there():
            return DeliveryOutcome(DeliveryResult(user_error("NOTIFY_MISSING").message))
        told = json.loads(payload)
        title, text = words(told["type"], told["data"])
        began = time.monotonic()
        try:
            async with asyncio.timeout(LIMIT_S):
                problem = await _in_thread(lambda: _send(str(self._address), title, text))
        except TimeoutError:
            problem = f"no answer within {LIMIT_S:g} s"
        answer = DeliveryResult(problem or "sent", None, round(time.monotonic() - began, 3))
        return DeliveryOutcome(answer, is_taken=not problem)

    async def close(self) -> None:
        """Hold nothing."""


def is_there() -> bool:
    """Return whether Apprise is installed."""
    return find_spec("apprise") is not None


def _send(address: str, title: str, text: str) -> str:
    """Send, and return the problem, if any; it blocks."""
    apprise: Any = import_module("apprise")  # an extra, and untyped
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it would write addresses down
    asset = apprise.AppriseAsset(async_mode=False, storage_mode=apprise.PersistentStoreMode.MEMORY)
    sender = apprise.Apprise(asset=asset)
    if not sender.add(address):
        return "Apprise does not understand this address, or lacks what it needs for it"
    if sender.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT):
        return ""
    return "Apprise could not deliver it"


async def _in_thread(do: Callable[[], str]) -> str:
    """Do what blocks in a thread of its own: the others' are not used up, no exit waits for it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[str] = loop.create_future()

    def settle(result: str) -> None:
        if not done.done():
            done.set_result(result)

    def work() -> None:
        try:
            result = do()
        except Exception as error:  # whatever a plug-in of Apprise's raises
            result = f"Apprise failed with {type(error).__name__}"
        with suppress(RuntimeError):  # no task waits any more
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=work, name="apprise", daemon=True).start()
    return await done
