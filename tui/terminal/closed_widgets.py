"""Closed widgets, let go where Textual keeps them.

Textual caches the two backgrounds of a widget with `lru_cache` on a method, so that its 1,024 keys
hold the caches of as many widgets that are gone, each with all of its drawn lines: 2 MiB for each
time that the help was opened. And a widget that watches the app is kept with its whole screen, as a
text area does for the theme: 4 MiB for each form.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from textual._styles_cache import StylesCache
from textual.color import Color
from textual.dom import DOMNode
from textual.style import Style


@lru_cache(1024)
def _backgrounds(base_background: Color, background: Color) -> tuple[Style, Style]:
    return Style(background=base_background + background), Style(background=base_background)


def _inner_outer(
    _cache: StylesCache, base_background: Color, background: Color
) -> tuple[Style, Style]:
    return _backgrounds(base_background, background)


def forget_watcher(app: DOMNode, widget: DOMNode) -> None:
    """Remove a widget that is gone from the watchers of the reactives of the app."""
    for watchers in getattr(app, "__watchers", {}).values():
        watchers[:] = [one for one in watchers if one[0] is not widget]


def let_go_of_closed_widgets() -> None:
    """Cache backgrounds by their colors alone, for all widgets of this process."""
    cast("Any", StylesCache).get_inner_outer = _inner_outer
