"""`swarm-tui config`: where the settings are, what they are, whether they can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.domain.errors import user_error
from tui.cli.support import output
from tui.cli.support.options import ChoiceParam, everywhere, examples, json_option

if TYPE_CHECKING:
    from engine.config.settings import Config


@click.command(epilog=examples("config", "config path", "config show --json", "config check"))
@click.argument(
    "what", type=ChoiceParam(("path", "show", "check")), default="show", metavar="[WHAT]"
)
@json_option("Print one JSON object.")
@everywhere()
def config(what: str, as_json: bool) -> int:
    """Print the settings in effect (show), the path of their file (path), or check it (check).

    For an invalid file, check prints the line and exits with code 3; show prints the last valid
    settings, which are in effect.
    """
    from engine.config import config_file, paths, settings
    from tui.cli.support import session

    places = paths.find()
    there = places.config.exists()
    if what == "path":
        known: dict[str, Any] = {"path": str(places.config), "exists": there}
        output.say_json(known) if as_json else output.say(str(places.config))
        return 0
    if what == "check":
        check_ui(settings.load(places.config))
        told = "can be used" if there else "is not there: the defaults hold"
        known = {"path": str(places.config), "exists": there, "ok": True}
        output.say_json(known) if as_json else output.say(f"{places.config} {told}")
        return 0
    loaded = config_file.load_usable(places)
    session.show_warning(loaded)
    if as_json:
        output.say_json(settings.plain(loaded.config))
    else:
        output.say(settings.text(loaded.config).rstrip())
    return 0


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
