"""Short messages about an action: the error, and its fix."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar, cast

from textual.app import App
from textual.screen import Screen
from textual.widget import Widget

from engine.domain.errors import UserError
from engine.domain.record import record
from engine.domain.text import printable

T = TypeVar("T")


@record
class ToastRecord:
    """Shown message, with its time and tone."""

    at: float
    text: str
    tone: str


def app_of(widget: Widget) -> App[None]:
    """Return the app of a widget; Textual's own property has no usable type."""
    return cast("App[None]", widget.app)  # pyright: ignore[reportUnknownMemberType]  the library's type is partial


def focus_now(widget: Widget) -> None:
    """Focus a widget at once: the next keys are meant for it."""
    screen = cast("Screen[None]", widget.screen)  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
    screen.set_focus(widget)


def report(app: App[None], error: UserError) -> None:
    """Show the error as a toast."""
    text = f"{printable(error.message, 400)}\n{printable(error.recovery, 400)}"
    app.notify(text, title=error.code, severity="error", timeout=8, markup=False)


def tell(app: App[None], text: str, *, is_warning: bool = False, stays: bool = False) -> None:
    """Show a short confirmation, or a warning, which stays longer, as does what `stays`."""
    severity, timeout = ("warning", 12) if is_warning else ("information", 8 if stays else 3)
    app.notify(printable(text, 400), severity=severity, timeout=timeout, markup=False)


async def attempt(app: App[None], asked: Awaitable[T]) -> T | None:
    """Wait for what the engine was asked for; a `UserError` becomes a toast and None."""
    try:
        return await asked
    except UserError as error:
        report(app, error)
        return None
