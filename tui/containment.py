"""Faults of screens and widgets, contained: what one handler or drawing raises ends no dashboard.

Textual ends the program at any exception. Here a handler, timer or worker that fails is one fault:
logged, shown, and the dashboard goes on. A widget that cannot be drawn shows its error instead; a
screen that cannot be drawn, or fails many times in a row, is closed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Iterator
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

from textual import events
from textual._context import active_message_pump
from textual.app import App
from textual.driver import Driver
from textual.message import Message
from textual.message_pump import CallbackError, MessagePump
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import Worker, WorkerFailed

from engine.domain.fault import SCREEN, error_line
from tui.widgets.base.error_display import close, show_error
from tui.widgets.status.toast import tell

if TYPE_CHECKING:
    from tui.app import SwarmApp

FORGET_S = 60.0
"""Time for which a fault is shown after it was met last."""
LIMIT, WITHIN_S = 10, 5.0
"""So many faults of a screen within this time, and it is closed."""
_log = logging.getLogger(__name__)
CORE = frozenset({"_process_messages", "app_prelude"})
"""Functions of Textual's App that start and end it: it cannot go on without them."""
START = (events.Load, events.Compose, events.Mount, events.Ready)


class Containment:
    """Containment of the faults of one dashboard's screens, widgets and workers."""

    def __init__(self, app: SwarmApp) -> None:
        self._app = app
        self._recent: dict[str, deque[float]] = {}
        self._told: Counter[str] = Counter()
        self._replaced: set[int] = set()
        """The widgets that show an error already, by `id`."""
        self.text = ""
        """Reason why a screen was closed last."""

    def contain(
        self, error: Exception, pump: MessagePump | None = None, message: Message | None = None
    ) -> bool:
        """Contain what was raised; False where the dashboard cannot go on."""
        try:
            return self._contain(_original(error), pump, message)
        except Exception:
            _log.exception("a fault cannot be contained")
            return False

    def _contain(self, error: Exception, pump: MessagePump | None, message: Message | None) -> bool:
        frames = list(_frames(error))
        if self._is_over or _is_core(frames, pump, message):
            return self._is_over
        pump = pump or _owner(frames) or active_message_pump.get(None)
        drawn = _drawn(frames)
        widget = drawn or (pump if isinstance(pump, Widget) else None)
        screen = _screen_of(widget) or self._app.screen
        from tui.screens.fault import FaultScreen  # late: most dashboards never need it

        if isinstance(screen, FaultScreen):
            return False
        is_hot = self._record(screen, error)
        is_broken = drawn is not None or _is_broken(frames, message)
        if is_hot or (is_broken and not self._replace(widget, error)):
            self._close(screen, error)
        return True

    def last_words(self, error: Exception) -> str:
        """Log what ends the dashboard, and return the one message to leave on the terminal."""
        error = _original(error)
        _log.critical("the dashboard failed", exc_info=error)
        log = self._app.engine.paths.log
        return (
            f"The dashboard failed: {error_line(error)}\n"
            f"Runs go on in the background; `swarm-tui` shows them again. Details are in {log}."
        )

    @property
    def _is_over(self) -> bool:
        """True while the dashboard is closing: no fault can be shown any more."""
        return self._app._exit or self._app._closing  # pyright: ignore[reportPrivateUsage]  the library has no public way

    def _record(self, screen: Screen[Any], error: Exception) -> bool:
        """Record a fault, and show it once; True where there are too many of this screen."""
        name = f"{SCREEN}{type(screen).__name__}"
        faults = self._app.engine.tasks.faults
        faults.record(name, error)
        self._told[name] += 1
        asyncio.get_running_loop().call_later(FORGET_S, self._forget, name)
        if self._told[name] == 1:
            text = f"An action failed inside: {error_line(error)}"
            self._app.call_later(tell, self._app, text, is_warning=True)
        recent = self._recent.setdefault(name, deque(maxlen=LIMIT))
        recent.append(monotonic())
        return len(recent) == LIMIT and recent[-1] - recent[0] <= WITHIN_S

    def _forget(self, name: str) -> None:
        self._told[name] -= 1
        if not self._told[name]:
            self._app.engine.tasks.faults.forget(name)

    def _replace(self, widget: Widget | None, error: Exception) -> bool:
        """Show a widget's error in its place; return False where that is not possible."""
        if widget is None or isinstance(widget, Screen) or id(widget) in self._replaced:
            return False
        self._replaced.add(id(widget))
        show_error(widget, error_line(error))
        return True

    def _close(self, screen: Screen[Any], error: Exception) -> None:
        self._recent.pop(f"{SCREEN}{type(screen).__name__}", None)
        self.text = error_line(error)
        self._app.call_later(close, self._app, screen)


def _original(error: Exception) -> Exception:
    """Return what a worker or a timer failed with, without Textual's exception around it."""
    inner = error.error if isinstance(error, WorkerFailed) else error
    if isinstance(inner, CallbackError):
        inner = inner.__context__ or inner
    return inner if isinstance(inner, Exception) else error


def _owner(frames: list[FrameType]) -> MessagePump | None:
    """Return the pump whose timer or worker failed; None for all other faults."""
    # The context of a timer is that of the code that started it, which may be any other screen.
    failed = _self(frames[0]) if frames else None
    if isinstance(failed, Worker):
        owner = cast("object", failed.node)
    else:
        owner = failed._target() if isinstance(failed, Timer) else None  # pyright: ignore[reportPrivateUsage] `target` raises
    return owner if isinstance(owner, MessagePump) else None


def _frames(error: Exception) -> Iterator[FrameType]:
    trace = error.__traceback__
    while trace:
        yield trace.tb_frame
        trace = trace.tb_next


def _is_core(frames: list[FrameType], pump: MessagePump | None, message: Message | None) -> bool:
    """Return whether the program itself failed: its start, its end, or the terminal."""
    if isinstance(pump, App) and isinstance(message, START):
        return True
    if frames and frames[0].f_code.co_name in CORE and isinstance(_self(frames[0]), App):
        return True
    return any(isinstance(_self(frame), Driver) for frame in frames)


def _is_broken(frames: list[FrameType], message: Message | None) -> bool:
    """Return whether a widget or screen could not even begin."""
    is_composing = bool(frames) and frames[0].f_code.co_name == "_compose"
    return is_composing or isinstance(message, events.Compose | events.Mount)


def _drawn(frames: list[FrameType]) -> Widget | None:
    """Return the widget that failed while it was laid out or drawn; None for all other faults."""
    if not any(frame.f_globals.get("__name__") == "textual._compositor" for frame in frames):
        return None
    found = (_self(frame) for frame in reversed(frames))
    return next((widget for widget in found if isinstance(widget, Widget)), None)


def _self(frame: FrameType) -> object:
    return frame.f_locals.get("self")


def _screen_of(widget: Widget | None) -> Screen[Any] | None:
    while widget is not None and not isinstance(widget, Screen):
        parent = widget.parent
        widget = parent if isinstance(parent, Widget) else None
    return cast("Screen[Any] | None", widget)


async def _dispatch(self: MessagePump, message: Message) -> None:
    """Run a pump's handler of a message; its exceptions are contained, and the pump continues."""
    try:
        await _textual_dispatch(self, message)
    except Exception as error:
        app = cast("object", self.app)  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
        containment: Containment | None = getattr(app, "containment", None)
        if containment is None or not containment.contain(error, self, message):
            raise


# The one place in Textual through which the messages of all pumps go, those of its own widgets too.
_textual_dispatch = MessagePump._dispatch_message  # pyright: ignore[reportPrivateUsage]  the library has no public way
MessagePump._dispatch_message = _dispatch  # pyright: ignore[reportPrivateUsage]  the library has no public way
