"""Throttled work: not done for a widget that is being removed."""

from __future__ import annotations

from bare_app import BareApp
from textual.widgets import Static

from tui.widgets.base.throttle import Throttle

SIZE = (80, 24)


async def test_work_is_done_for_a_hidden_widget_but_not_for_one_that_is_being_removed() -> None:
    app = BareApp()
    async with app.run_test(size=SIZE):
        widget = Static()
        await app.mount(widget)
        done: list[str] = []
        Throttle(widget, lambda: done.append("shown")).ask()
        widget.display = False
        Throttle(widget, lambda: done.append("hidden")).ask()
        widget.display = True
        removal = widget.remove()
        Throttle(widget, lambda: done.append("removed")).ask()
        await removal
        Throttle(widget, lambda: done.append("gone")).ask()
        assert done == ["shown", "hidden"]
