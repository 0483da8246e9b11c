"""What went wrong with an action, told in passing: what happened, and the way out."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from textual.app import App
from textual.widget import Widget

from engine.domain.errors import UserError
from engine.domain.text import printable

T = TypeVar("T")


def report(app: App[object], error: UserError) -> None:
    """Show the error as a toast."""
    text = f"{printable(error.message, 400)}\n{printable(error.recovery, 400)}"
    app.notify(text, title=error.code, severity="error", timeout=8, markup=False)


def tell(app: App[object], text: str) -> None:
    """Show a short confirmation."""
    app.notify(printable(text, 400), timeout=3, markup=False)


async def attempt(widget: Widget, asked: Awaitable[T]) -> T | None:
    """Wait for what the engine was asked for; a `UserError` becomes a toast and None."""
    try:
        return await asked
    except UserError as error:
        report(widget.app, error)
        return None
