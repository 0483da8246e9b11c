"""Screens and dialogs that open are styled once, and keys are asked for one by one."""

from __future__ import annotations

from collections import Counter

import pytest
from fake_engine import FakeEngine, S, app_on, shown
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode
from textual.renderables.background_screen import BackgroundScreen

from tui.app import SwarmApp
from tui.keymap import active_binding
from tui.terminal.dimmed import DimmedScreen

SIZES = ((80, 24), (160, 45))
OPENERS = ("question_mark", "n", "colon", "2", "escape", "slash")
"""Keys of dialogs and another screen, and two that open none."""


def an_app() -> SwarmApp:
    engine = FakeEngine()
    for number in range(4):
        engine.add(f"r{number}", f"Task {number}")
        engine.pass_through(f"r{number}", S.PREPARING, S.RUNNING)
    return app_on(engine)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("key", "words"), [("question_mark", "Keys of this"), ("n", "New run")])
async def test_a_dialog_is_styled_once_as_it_opens(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], key: str, words: str
) -> None:
    styled, apply = Counter[DOMNode](), Stylesheet.apply

    def counted(self: Stylesheet, node: DOMNode, **more: bool) -> None:
        styled[node] += 1
        apply(self, node, **more)

    app = an_app()
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        monkeypatch.setattr(Stylesheet, "apply", counted)
        await pilot.press(key)
        await pilot.pause()
        assert words in shown(app)
        nodes = [node for node in app.screen.walk_children() if node in styled]
        assert nodes
        assert sum(styled[node] for node in nodes) < 2.5 * len(nodes), (
            "Textual does it 3 to 4 times"
        )


@pytest.mark.parametrize("key", ["question_mark", "n"])
async def test_a_dialog_looks_as_if_styled_again_where_the_terminal_changes_as_it_opens(
    key: str,
) -> None:
    app = an_app()
    async with app.run_test(size=SIZES[1]) as pilot:
        await pilot.press(key)
        await pilot.resize_terminal(*SIZES[0])
        app.theme = "nord"
        assert app.live_screen
        app.live_screen.tick()  # else a clock behind the dialog may move between the two looks
        await pilot.pause()
        await pilot.pause()
        seen = app.screen._compositor.render_strips()  # pyright: ignore[reportPrivateUsage]  as Textual paints it
        app.screen.update_node_styles(animate=False)
        app.screen.refresh(layout=True)
        await pilot.pause()
        again = app.screen._compositor.render_strips()  # pyright: ignore[reportPrivateUsage]  as Textual paints it
        assert [list(strip) for strip in seen] == [list(strip) for strip in again]


@pytest.mark.parametrize("size", SIZES)
async def test_one_key_is_asked_for_as_all_are(size: tuple[int, int]) -> None:
    app = an_app()
    async with app.run_test(size=size) as pilot:
        for opener in OPENERS:
            await pilot.press(opener)
            await pilot.pause()
            active = app.screen.active_bindings
            assert active
            assert {key: active_binding(app.screen, key) for key in active} == active
            assert active_binding(app.screen, "f19") is None
            if app.screen is not app.live_screen:
                await pilot.press("escape")


def test_the_tint_behind_a_dialog_is_textuals() -> None:
    tint = Color(10, 20, 30, 0.7)
    styles = [
        None,
        Style(bold=True, link="https://example.org"),
        Style(color=RichColor.from_rgb(1, 2, 3)),
        Style(bgcolor=RichColor.from_rgb(200, 2, 3), meta={"@click": "bell"}),
    ]
    segments = [Segment("a", style) for style in styles] * 2
    for color in (tint, tint.with_alpha(0)):
        theirs = list(BackgroundScreen.process_segments(segments, color))
        assert list(DimmedScreen.process_segments(segments, color)) == theirs
