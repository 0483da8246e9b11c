"""Screens of the app's modes; each is imported when its mode is shown first."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual.screen import Screen

from tui.widgets.base.error_display import FAULT_MODE

if TYPE_CHECKING:
    from tui.app import SwarmApp


def add_modes(app: SwarmApp) -> None:
    """Add all modes to an app."""
    for mode, screen in MODES.items():
        app.add_mode(mode, partial(screen, app))  # pyright: ignore[reportUnknownMemberType] of Textual


def _runs(app: SwarmApp) -> Screen[None]:
    from tui.screens.runs import RunsScreen

    screen = RunsScreen(app.engine, app.clock)
    screen.expect_size(app.size)
    return screen


def _disk(app: SwarmApp) -> Screen[None]:
    from tui.screens.disk import DiskScreen

    return DiskScreen(app.engine, app.clock)


def _doctor(app: SwarmApp) -> Screen[None]:
    from tui.screens.doctor import DoctorScreen

    return DoctorScreen(app.engine, app.clock)


def _templates(app: SwarmApp) -> Screen[None]:
    from tui.screens.templates import TemplatesScreen

    return TemplatesScreen(app.engine, app.clock)


def _notifications(app: SwarmApp) -> Screen[None]:
    from tui.screens.notifications import NotificationsScreen

    return NotificationsScreen(app.engine, app.clock, app.toasts.records)


def _patterns(app: SwarmApp) -> Screen[None]:
    from tui.screens.patterns import PatternsScreen

    return PatternsScreen(app.engine, app.clock)


def _inbox(app: SwarmApp) -> Screen[None]:
    from tui.screens.inbox import InboxScreen

    return InboxScreen(app.engine, app.clock)


def _usage(app: SwarmApp) -> Screen[None]:
    from tui.screens.usage import UsageScreen

    return UsageScreen(app.engine, app.clock)


def _nodes(app: SwarmApp) -> Screen[None]:
    from tui.screens.nodes import NodesScreen

    return NodesScreen(app.engine, app.clock)


def _batch(app: SwarmApp) -> Screen[None]:
    from tui.screens.batch import BatchScreen

    return BatchScreen(app.engine, app.clock)


def _find(app: SwarmApp) -> Screen[None]:
    from tui.screens.find import FindScreen

    return FindScreen(app.engine, app.clock)


def _changes(app: SwarmApp) -> Screen[None]:
    from tui.screens.changes import ChangesScreen

    return ChangesScreen(app.engine, app.clock)


def _run_diff(app: SwarmApp) -> Screen[None]:
    from tui.screens.run_diff import RunDiffScreen

    return RunDiffScreen(app.engine, app.clock)


def _file(app: SwarmApp) -> Screen[None]:
    from tui.screens.file import FileScreen

    return FileScreen(app.engine, app.clock)


def _fault(app: SwarmApp) -> Screen[None]:
    from tui.screens.fault import FaultScreen

    return FaultScreen(lambda: app.containment.text if app.containment else "")


MODES: dict[str, Callable[[SwarmApp], Screen[None]]] = {
    "runs": _runs,
    "disk": _disk,
    "doctor": _doctor,
    "notifications": _notifications,
    "templates": _templates,
    "inbox": _inbox,
    "usage": _usage,
    "nodes": _nodes,
    "batch": _batch,
    "find": _find,
    "patterns": _patterns,
    "changes": _changes,
    "rundiff": _run_diff,
    "file": _file,
    FAULT_MODE: _fault,
}
