"""Display of widgets and screens that cannot be drawn."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any, cast

from rich.segment import Segment
from textual.app import App
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from tui.terminal.cells import clean

FAULT_MODE = "fault"
"""The mode whose screen stands for those that were closed."""


def show_error(widget: Widget, error: str) -> None:
    """Show an error in a widget's place from now on."""
    text = clean(error, 400)

    def render_lines(crop: Region) -> list[Strip]:
        width = widget.outer_size.width
        rows = textwrap.wrap(text, max(width, 1))
        drawn = [Strip([Segment(row)]).adjust_cell_length(width) for row in rows]
        drawn += [Strip.blank(width)] * (crop.bottom - len(drawn))
        return [strip.crop(*crop.column_span) for strip in drawn[crop.y : crop.bottom]]

    def get_content_width(*_: object) -> int:
        return len(text)

    def get_content_height(*_: object) -> int:
        return 1

    vars(widget).update(
        render_lines=render_lines,
        get_content_width=get_content_width,
        get_content_height=get_content_height,
    )
    widget.refresh(layout=True)


async def close(app: App[None], screen: Screen[Any]) -> None:
    """Close a screen: a dialog leads back to what is below, any other to the screen of faults."""
    stacks = app._screen_stacks  # pyright: ignore[reportPrivateUsage]  the library has no public way
    mode = next((mode for mode, stack in stacks.items() if screen in stack), None)
    if mode is None:
        return
    if screen is stacks[mode][0]:
        factory = cast("Callable[[], Screen[Any]]", app._modes[mode])  # pyright: ignore  the library has no public way
        if mode == app.current_mode:
            await app.switch_mode(FAULT_MODE)
        await app.remove_mode(mode)
        app.add_mode(mode, factory)  # pyright: ignore[reportUnknownMemberType] made again when asked for
    elif mode == app.current_mode:
        while app.screen is not screen:
            app.screen.dismiss()
        screen.dismiss()
