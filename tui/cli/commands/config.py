"""`swarm-tui config`: the settings in effect, their file, its check and its editor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.domain.errors import os_failure, user_error
from tui.cli.support import output
from tui.cli.support.options import ChoiceParam, everywhere, examples, json_option
from tui.cli.support.settings_check import check_file, is_there

if TYPE_CHECKING:
    from pathlib import Path


COMMENTED = """\
# Settings of swarm-tui. Every key is optional; these are the defaults.
# Remove the mark in front of a section and of the keys that you change.
"""


@click.command(
    epilog=examples("config", "config path", "config show --json", "config check", "config edit")
)
@click.argument(
    "what", type=ChoiceParam(("path", "show", "check", "edit")), default="show", metavar="[WHAT]"
)
@json_option("Print one JSON object.")
@everywhere()
def config(what: str, as_json: bool) -> int:
    """Print the settings in effect (show), the path of their file (path), check it or edit it.

    For an invalid file, check prints the line and exits with code 3; show prints the last valid
    settings, which are in effect. edit opens the file in $VISUAL or $EDITOR, then checks it; a
    missing file is created with every setting as a comment.
    """
    from engine.config import config_file, paths, settings
    from tui.cli.support import session

    places = paths.find()
    there = is_there(places.config)
    if what == "path":
        known: dict[str, Any] = {"path": str(places.config), "exists": there}
        output.say_json(known) if as_json else output.say(str(places.config))
        return 0
    if what == "edit":
        if as_json:
            raise click.UsageError("--json goes with path, show and check.")
        session.run(edit(places.config))
        what = "check"
    if what == "check":
        known = check_file(places.config)
        told = "can be used" if known["exists"] else "is not there: the defaults hold"
        output.say_json(known) if as_json else output.say(f"{places.config} {told}")
        return 0
    loaded = config_file.load_usable(places)
    session.show_warning(loaded)
    if as_json:
        output.say_json(settings.plain(loaded.config))
    else:
        output.say(settings.text(loaded.config).rstrip())
    return 0


async def edit(path: Path) -> None:
    """Open the settings file in the user's editor; a missing one is created first."""
    from engine.config.settings import Config, text
    from engine.system import programs
    from engine.system.output_file import write_output

    programs.editor()  # before anything is written
    if not is_there(path):
        _create_folder(path.parent)
        defaults = "".join(f"# {line}\n" for line in text(Config()).splitlines())
        write_output(path, f"{COMMENTED}{defaults}".encode())
    await programs.edit(path)


def _create_folder(folder: Path) -> None:
    """Create the folder of the settings file; raises `UserError`."""
    from engine.domain.text import printable_name

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        failure = os_failure(error)
        if failure.code != "INTERNAL":  # the disk or a right: this error explains it
            raise failure from error
        raise user_error(
            "INPUT_INVALID",
            f"The folder {printable_name(str(folder))} cannot be created: {error.strerror}.",
            "Name a settings file in another folder in SWARM_CONFIG.",
        ) from error
