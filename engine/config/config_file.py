"""The settings file of a home: a mistake in it never stops work, the last valid settings apply.

The text of the last valid settings is kept in the home.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config import settings
from engine.config.paths import Paths, private_folder
from engine.config.settings import Config
from engine.domain.errors import UserError, user_error
from engine.domain.fault import SETTINGS
from engine.domain.record import record
from engine.domain.text import one_line
from engine.system.durable import write_synced

CHECK_S = 2.0
"""Time from one check whether the file has changed to the next."""
WARNING_LENGTH = 600
if TYPE_CHECKING:
    from engine.execution.faults import Faults

_log = logging.getLogger(__name__)


@record
class LoadedConfig:
    """The settings that apply, and the mistake in the file, if there is one."""

    config: Config
    error: UserError | None = None
    is_kept: bool = False
    """True if these are the last valid settings, not those of the file."""

    @property
    def warning(self) -> str:
        """The mistake and what applies instead, in one line; empty if there is none."""
        if self.error is None:
            return ""
        applied = "The last valid settings apply." if self.is_kept else "The defaults apply."
        told = one_line(" ".join(self.error.message.split()), WARNING_LENGTH)
        return f"{told} {applied}"


def load_usable(paths: Paths) -> LoadedConfig:
    """Return the settings of a home; where the file has a mistake, the last valid ones, or none.

    Valid settings are kept for the next mistake.
    """
    try:
        text = settings.read(paths.config)
        config = settings.parse(text, settings.shown(paths.config))
    except UserError as error:
        return _last_valid(paths.valid_config, error)
    _keep(text, paths.valid_config)
    return LoadedConfig(config)


def _last_valid(path: Path, error: UserError) -> LoadedConfig:
    try:
        text = settings.read(path)
        if text:
            return LoadedConfig(settings.parse(text, settings.shown(path)), error, is_kept=True)
    except UserError as unusable:  # damaged, or written by a version with other keys
        _log.warning("the last valid settings cannot be used: %s", unusable.message)
    return LoadedConfig(Config(), error)


def _keep(text: str, path: Path) -> None:
    """Keep valid settings in the home; a disk that refuses stops nothing."""
    try:
        if path.exists() and settings.read(path) == text:
            return
    except (OSError, UserError) as error:
        _log.warning("the last valid settings are written again: %s", error)
    try:
        if text:
            private_folder(path.parent)
            write_synced(path, text.encode())
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("the last valid settings cannot be kept: %s", error)


class ConfigWatch:
    """Notices changes of the file while an engine supervises, and reports mistakes as a fault."""

    def __init__(
        self, paths: Paths, applied: Config, faults: Faults, changed: Callable[[LoadedConfig], None]
    ) -> None:
        self._paths = paths
        self._applied = applied
        self._faults = faults
        self._changed = changed
        self._stamp = _stamp(paths.config)

    async def run(self) -> None:
        """Check until cancelled."""
        self._report(await asyncio.to_thread(load_usable, self._paths))
        while True:
            await asyncio.sleep(CHECK_S)
            stamp = _stamp(self._paths.config)
            if stamp != self._stamp:
                self._report(await asyncio.to_thread(load_usable, self._paths))
                self._stamp = stamp

    def _report(self, loaded: LoadedConfig) -> None:
        self._changed(loaded)
        # The top bar has little room: a folder's name would hide the mistake.
        text = loaded.warning.replace(f"{settings.shown(self._paths.config.parent)}/", "", 1)
        if not text and loaded.config != self._applied:
            name = settings.shown(Path(self._paths.config.name))
            text = f"{name} has changed and applies after a restart."
        if text:
            self._faults.record(SETTINGS, user_error("CONFIG_INVALID", text))
        else:
            self._faults.clear(SETTINGS)


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what is different after the file was changed, replaced, locked or removed."""
    try:
        info = os.stat(path)  # noqa: PTH116  the same call
    except OSError as error:
        return (error.errno or 0,)
    return (
        info.st_dev,
        info.st_ino,
        info.st_mode,
        info.st_size,
        info.st_mtime_ns,
        info.st_ctime_ns,
    )
