"""Themes, what a poor terminal is spared, and windows that are too small."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_engine import NARROW, WIDE, FakeEngine, app_on, four_runs, plain, shown, toasts
from rich.color import Color as RichColor
from rich.color import ColorSystem
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from engine.config.settings import UiSettings
from engine.domain.events import Notice
from tui.formatting import TONES, symbols
from tui.terminal.ascii import in_ascii
from tui.theme import LIGHT, TEXT_CONTRAST, THEMES, contrast, readable

COLORFUL = [theme for name, theme in BUILTIN_THEMES.items() if not name.startswith("ansi")]


def test_contrast_is_what_wcag_says() -> None:
    black, white = Color.parse("#000000"), Color.parse("#ffffff")
    assert contrast(black, white) == contrast(white, black) == 21
    assert contrast(white, white) == 1
    assert round(contrast(Color.parse("#767676"), white), 2) == 4.54


@pytest.mark.parametrize("theme", [*THEMES, *map(readable, COLORFUL)], ids=lambda theme: theme.name)
def test_text_of_every_tone_can_be_read_on_every_ground(theme: Theme) -> None:
    colors = theme.to_color_system().generate() | theme.variables
    texts = {"foreground", *(name.removeprefix("$") for name in TONES.values())}
    for ground in ("background", "surface", "panel"):
        for text in sorted(texts):
            ratio = contrast(Color.parse(colors[text]), Color.parse(colors[ground]))
            assert ratio >= TEXT_CONTRAST, f"{text} on {ground}"
    faint = Color.parse(colors["faint"])
    for ground in ("background", "surface"):
        assert contrast(faint, Color.parse(colors[ground])) >= TEXT_CONTRAST


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_text_can_be_read_where_the_cursor_is_and_on_what_is_lit(theme: Theme) -> None:
    colors = theme.to_color_system().generate() | theme.variables
    color = {name: Color.parse(colors[name]) for name in colors if colors[name][:1] == "#"}
    line = color["background"].blend(color["primary"], 0.16)
    texts = ("foreground", "secondary", "faint", "primary", "success", "warning", "error")
    chosen = [color[f"block-{name}-background"] for name in ("cursor", "cursor-blurred", "hover")]
    pairs = [
        *((text, ground) for text in texts for ground in (line, *chosen, color["panel"])),
        ("background", color["accent"]),
        ("background", color["error"]),
        ("block-cursor-foreground", color["block-cursor-background"]),
    ]
    for name, ground in pairs:
        assert contrast(color[name], ground) >= TEXT_CONTRAST, name


@pytest.mark.parametrize("share", [0.75, 0.8])
@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_weak_text_of_footer_and_help_can_be_read(theme: Theme, share: float) -> None:
    colors = theme.to_color_system().generate()
    for name in ("background", "surface", "panel"):
        ground = Color.parse(colors[name])
        text = ground.blend(Color.parse(colors["foreground"]), share)
        assert contrast(text, ground) >= TEXT_CONTRAST, name


def test_the_light_theme_is_readable_in_16_colours() -> None:
    """A terminal with 16 colours has its own; on white, only some can be read in any terminal."""
    colors = LIGHT.to_color_system().generate() | LIGHT.variables
    dark = {"black": 0, "red": 1, "blue": 4, "magenta": 5, "bright black": 8}
    white = {7, 15}
    for text in ("foreground", "faint", "border", *(tone[1:] for tone in TONES.values())):
        assert _of_16(colors[text]) in dark.values(), text
    for ground in ("background", "surface", "panel", "block-cursor-background"):
        assert _of_16(colors[ground]) in white, ground


def _of_16(text: str) -> int | None:
    color = RichColor.from_rgb(*Color.parse(text).rgb)
    return color.downgrade(ColorSystem.STANDARD).number


async def test_a_theme_is_chosen_by_looking_and_remembered(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("ctrl+p", *"choose a theme", "enter")
        await pilot.pause()
        await pilot.press(*"nord")
        await pilot.pause()
        assert app.theme == "nord"
        await pilot.press("escape")
        await pilot.pause()
        assert app.theme == "swarm-dark"
        await pilot.press("ctrl+p", *"choose a theme", "enter")
        await pilot.pause()
        await pilot.press(*"gruv", "enter")
        await pilot.pause()
        assert app.theme == "gruvbox"
    again = app_on(engine)
    async with again.run_test(size=WIDE):
        assert again.theme == "gruvbox"
    engine.config = FakeEngine(
        UiSettings(theme="swarm-light")
    ).config  # the user had a change of mind
    last = app_on(engine)
    async with last.run_test(size=WIDE):
        assert last.theme == "swarm-light"


@pytest.mark.parametrize("name", ["nord", "textual-light", "ansi-dark"])
async def test_the_settings_can_name_any_theme(engine: FakeEngine, name: str) -> None:
    engine.config = FakeEngine(UiSettings(theme=name)).config
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.pause()
        assert app.theme == name
        assert "Tidy up" in shown(app)
        assert toasts(app) == []


@pytest.fixture
def engine() -> FakeEngine:
    return four_runs()


@pytest.fixture
def poor(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The Linux console in the C locale, without colours."""
    for name, value in (("TERM", "linux"), ("LANG", "C"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    symbols.unicode_ok.cache_clear()
    yield
    symbols.unicode_ok.cache_clear()


@pytest.mark.usefixtures("poor")
@pytest.mark.parametrize("size", [WIDE, (60, 15)])
async def test_a_poor_terminal_gets_nothing_but_ascii(
    engine: FakeEngine, size: tuple[int, int]
) -> None:
    engine.add("e5", "Größe \U0001f600 日本 ▒")
    engine.happen("e5", Notice("warning", "… → “quoted”"))
    app = app_on(engine)
    async with app.run_test(size=size) as pilot:
        for keys in ("l", "f", "n", "ctrl+o", "escape", "colon", "escape", "question_mark"):
            await pilot.press(keys)
            await pilot.pause()
            assert shown(app).isascii(), keys
        await pilot.press("escape", "6")
        await pilot.pause()
        assert shown(app).isascii()


def test_ascii_keeps_its_width() -> None:
    assert in_ascii("╭─ Größe … ✓ 日本 \U0001f600 ─╮") == "+- Grosse".replace("ss", "?") + (
        " ~ ? ???? ?? -+"
    )
    assert in_ascii("e\u0301") == "e"


@pytest.mark.parametrize("key", [None, "6"])
async def test_a_window_that_is_too_small_says_how_small(
    engine: FakeEngine, key: str | None
) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        if key:
            await pilot.press(key)
        for size in ((59, 24), (80, 14), (20, 5)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert f"Too small: {size[0]} × {size[1]}." in shown(app)
            assert "needs 60 × 15." in plain(app)
        await pilot.resize_terminal(60, 15)
        await pilot.pause()
        assert "Too small" not in shown(app)


@pytest.mark.parametrize("size", [(59, 24), (1, 1)])
async def test_dialogs_survive_any_size(engine: FakeEngine, size: tuple[int, int]) -> None:
    app = app_on(engine)
    async with app.run_test(size=size) as pilot:
        for keys in (["n", "a", "ctrl+o", "ctrl+r", "escape", "escape"], ["colon", "escape"]):
            await pilot.press(*keys)
            await pilot.pause()
        assert app.screen is app.live_screen
