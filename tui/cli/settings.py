"""`swarm-tui config`: where the settings are, what they are, whether they can be used."""

from __future__ import annotations

from typing import Any

import click

from tui.cli import output
from tui.cli.options import Nearest, everywhere, examples, json_option


@click.command(epilog=examples("config", "config path", "config show --json", "config check"))
@click.argument("what", type=Nearest(("path", "show", "check")), default="show", metavar="[WHAT]")
@json_option("Print one JSON object.")
@everywhere()
def config(what: str, as_json: bool) -> int:
    """Print the settings as they count (show), where their file is (path), or check it (check).

    A file that cannot be used is refused with the line that is wrong, and exit code 3.
    """
    from engine import config as settings
    from engine import paths

    places = paths.find()
    there = places.config.exists()
    if what == "path":
        known: dict[str, Any] = {"path": str(places.config), "exists": there}
        output.say_json(known) if as_json else output.say(str(places.config))
        return 0
    found = settings.load(places.config)
    if what == "check":
        told = "can be used" if there else "is not there: the defaults hold"
        known = {"path": str(places.config), "exists": there, "ok": True}
        output.say_json(known) if as_json else output.say(f"{places.config} {told}")
    elif as_json:
        output.say_json(settings.plain(found))
    else:
        output.say(settings.text(found).rstrip())
    return 0
