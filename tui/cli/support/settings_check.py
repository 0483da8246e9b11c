"""The check of the settings file, with those settings that only the dashboard has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.domain.errors import user_error

if TYPE_CHECKING:
    from engine.config.settings import Config


def check_file(path: Path) -> dict[str, Any]:
    """Return that a settings file can be used, and whether it exists; raises `UserError`."""
    from engine.config import settings

    exists = is_there(path)
    check_ui(settings.load(path))
    return {"path": str(path), "exists": exists, "ok": True}


def is_there(path: Path) -> bool:
    """Return whether a path exists; one that the system refuses does not."""
    try:
        return path.exists()
    except OSError:  # as a name that is too long: reading it explains why
        return False


def check_ui(config: Config) -> None:
    """Raise `UserError` CONFIG_INVALID where the dashboard cannot use its settings."""
    from textual.theme import BUILTIN_THEMES

    from tui.keymap import checked_keymap
    from tui.theme import THEMES
    from tui.widgets.runs.run_columns import checked_columns

    ui = config.ui
    problems = [*checked_keymap(ui.keys)[1], *checked_columns(ui.columns)[1]]
    if ui.theme not in {*BUILTIN_THEMES, *(theme.name for theme in THEMES)}:
        problems.append(f"ui.theme: there is no theme {ui.theme}.")
    if problems:
        raise user_error("CONFIG_INVALID", "\n".join(problems))
