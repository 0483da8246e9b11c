"""Keys carried out in the order they were typed, however fast they come."""

from __future__ import annotations

import asyncio

from textual import events
from textual.binding import BindingsMap
from textual.widget import Widget

from tui.widgets.status.toast import app_of

FIELDS = "TextInput, PromptArea, SegmentedControl"


async def carry_out(field: Widget, bindings: BindingsMap, event: events.Key) -> None:
    """Run the command of a field's own key in the field itself.

    Textual lets the app do it, once the key has come back to it: letters typed meanwhile are in
    the field by then, so that `ctrl+u` and a word in one burst would delete the word.
    """
    for binding in bindings.key_to_bindings.get(event.key, ()):
        if not binding.priority and await app_of(field).run_action(binding.action, field):
            event.stop()
            event.prevent_default()
            return


async def settled(form: Widget) -> None:
    """Wait until everything typed so far has arrived in the fields it was meant for."""
    waiting: list[asyncio.Event] = []
    for field in form.query(FIELDS):
        arrived = asyncio.Event()
        if field.call_later(arrived.set):
            waiting.append(arrived)
    for arrived in waiting:
        await arrived.wait()
