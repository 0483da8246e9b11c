"""A terminal driver that goes on from the first frame: no blank screen in between."""

from __future__ import annotations

from textual.drivers.linux_driver import LinuxDriver

from tui import first_frame


class SeamlessDriver(LinuxDriver):
    """Textual's driver, on a screen that may be open already."""

    def write(self, data: str) -> None:
        """Write to the terminal; to open the screen once more would clear it."""
        if data != first_frame.ENTER or not first_frame.take():
            super().write(data)
