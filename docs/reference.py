"""The reference pages, generated from the code by `make docs`; a test compares them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import api_pages
import click
import json_pages
import msgspec
from msgspec import Meta, Struct

from engine.config.run_options import RUN_OPTIONS
from engine.config.settings import Config
from engine.config.values import Duration, Percent, Size
from engine.domain.errors import CATALOGUE
from tui.cli.main import group
from tui.commands import GROUPS, keys_of

HERE = Path(__file__).parent
NOTE = "<!-- Written by `make docs` from the code: change it there. -->\n"

SETTINGS = """\
`config.yaml`; every key is optional. `swarm-tui config` prints the settings in effect.

A mistake in the file does not stop work: the last valid settings apply (else the defaults), and
the mistake is shown on stderr, in the dashboard's second line and by `doctor`. While there is
one, `run`, `batch`, `retry`, `resume` and a `cleanup` that deletes are refused with
CONFIG_INVALID and exit code 3, as is `config check`. The last valid text is kept in the home,
readable by its owner only. A dashboard or supervisor that is open reports within seconds that the
file has a mistake or has changed; a change applies to it after a restart.

A repository can have `setup`, `setup_limit`, `copy_files`, `ignore` and `env` of its own, below
`workspace:` in `.swarm/config.yaml`. The entry of a project in `projects` comes first, then the
repository's file, then `workspace`. The file counts once you have trusted it as it is: where it
lies, its content, everything in `.swarm`, and the files that its commands name
([security.md](security.md#trust)). Any change asks again, and a file that is another in the
workspace than in the source is not run. A lower `setup_limit` than yours counts without a question.

A run keeps the environment of the shell that requested it, not its supervisor's, in a file of its
own that only you can read; `env` adds variables (`projects` before a repository before `workspace`;
a template's and `--env` come before all). A repository's variables need your trust. Git's variables
that name a repository, `SWARM_HOME`, `SWARM_CONFIG` and secrets of receivers are left out. Each run
also gets `SWARM_RUN` (its id), `SWARM_ATTEMPT` (from 1), a `TMPDIR` of its own that Codex's sandbox
lets it write to, and `SWARM_PORT`, the first of ten ports that no other live run has. All of that
holds for the agent, set-up, check, and for the shell and editor that you open. `config` shows no
values. The file goes when the workspace leaves the trash for good, `TMPDIR` when it goes there.

Set-up commands run with `sh` in every new worktree and copy, one after the other, as you and
outside Codex's sandbox, before the state that changes are measured against. `--setup` runs them
elsewhere, too, `--no-setup` nowhere. Patterns in `copy_files` are relative to the top of the
source, `*` stands for names in one folder; links are copied as links.""".splitlines()


OPTIONS = """\
The flags of `run` and `batch`, the same as keys of [templates](templates.md) and of steps of
[flows](batches.md#flows), and as fields of the dashboard's forms, which also have choices for
sandbox, agent, workspace and uncommitted changes. Those marked as columns can also be a column or
a `--matrix` of a batch.

A flag comes before a key; `env` is laid over that of the template. In YAML, `env` is a mapping,
`images` and `add_dirs` are lists, `fetch` is true or false. A relative path in a file is taken from
the folder of that file; in a column, as on the command line, from the current folder. Several files
in a column or field are separated by spaces; quotes keep a name with spaces together.
""".splitlines()


def pages() -> dict[Path, str]:
    """Return every generated page by its path."""
    return {
        HERE / "keys.md": keys(),
        HERE / "errors.md": errors(),
        HERE / "settings.md": settings(),
        HERE / "commands.md": commands(),
        HERE / "options.md": options(),
        HERE / "json.md": json_pages.page(NOTE),
        HERE / "schemas.json": json_pages.schemas(),
        HERE / "workspaces.md": workspaces(),
        HERE / "openapi.json": api_pages.openapi(),
        HERE / "api.md": api_pages.page(),
    }


def workspaces() -> str:
    """Return the page of workspaces with the table that the tests of shapes check."""
    tests = HERE.parent / "tests"
    sys.path[:0] = [str(tests), str(tests / "workspaces")]
    shapes = importlib.import_module("repository_shapes")
    page = (HERE / "workspaces.md").read_text("utf-8")
    before, begin, rest = page.partition("<!-- Shapes: written by `make docs` -->\n")
    _, end, after = rest.partition("<!-- End of shapes -->\n")
    return before + begin + "\n".join(shapes.table()) + "\n" + end + after


def keys() -> str:
    """Return the page of the dashboard's keys."""
    lines = [
        "# Keys",
        "",
        NOTE,
        "Set your own keys with `ui.keys` in the settings, by the names in the last column.",
        "",
        "## One key, one meaning",
        "",
        "A key has the same meaning on all screens. While a search of the log is on, `n` and `N`",
        "go to its matches.",
        "",
        "| key | meaning | where |",
        "|---|---|---|",
        *_meanings(),
    ]
    for name, found in GROUPS.items():
        lines += ["", f"## {name}", "", "| keys | effect | name |", "|---|---|---|"]
        for command in found:
            keys = (_cell(key) for key in keys_of(command, {}))
            shown = " ".join(f"`{key}`" for key in keys) or "palette"
            lines.append(f"| {shown} | {command.help} | `{command.id}` |")
    return "\n".join(lines) + "\n"


def _cell(key: str) -> str:
    return key.replace("|", "\\|")


def _meanings() -> Iterator[str]:
    """Return a row for each key that several screens have."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, commands in GROUPS.items():
        for command in commands:
            for key in keys_of(command, {}):
                places = found.setdefault((key, command.meaning), [])
                places += [name] * (name not in places)
    for (key, meaning), places in found.items():
        if len(places) > 1:
            yield f"| `{_cell(key)}` | {meaning} | {', '.join(places)} |"


def errors() -> str:
    """Return the page of all errors."""
    lines = [
        "# Errors",
        "",
        NOTE,
        "Every error has a stable code, in the dashboard, on the command line (exit code 3)",
    ]
    lines[-1] += " and in JSON."
    for code, entry in sorted(CATALOGUE.items()):
        lines += ["", f"## {code}", "", entry.message, "", entry.recovery]
    return "\n".join(lines) + "\n"


def options() -> str:
    """Return the page of a run's options."""
    lines = ["# Options of a run", "", NOTE, *OPTIONS, ""]
    lines += ["| flag | key | in the forms | effect |", "|---|---|---|---|"]
    for option in RUN_OPTIONS:
        key = f"`{option.key}`" if option.in_files else ""
        key += " (column)" if option.is_column else ""
        what = option.help.replace("|", "\\|")
        lines.append(f"| `{option.flag}` | {key} | {option.label} | {what} |")
    return "\n".join(lines) + "\n"


def settings() -> str:
    """Return the page of all settings."""
    lines = ["# Settings", "", NOTE, *SETTINGS, ""]
    lines += ["| key | default | meaning |", "|---|---|---|"]
    lines += [f"| `{key}` | {default} | {what} |" for key, default, what in _settings(Config, "")]
    return "\n".join(lines) + "\n"


def _settings(section: type[Struct], prefix: str) -> Iterator[tuple[str, str, str]]:
    for field in msgspec.structs.fields(section):
        kind, what = _meaning(field.type)
        if isinstance(kind, type) and issubclass(kind, Struct):
            yield from _settings(kind, f"{prefix}{field.name}.")
        else:
            default = "" if field.default is msgspec.NODEFAULT else _shown(field.default)
            yield f"{prefix}{field.name}", default, what


def _meaning(annotation: Any) -> tuple[Any, str]:  # noqa: ANN401  a type
    """Return the type and the description of a field; the outer annotation comes first."""
    if get_origin(annotation) is None or not hasattr(annotation, "__metadata__"):
        return annotation, ""
    found = [
        m.description for m in annotation.__metadata__ if isinstance(m, Meta) and m.description
    ]
    return get_args(annotation)[0], found[-1] if found else ""


def _shown(value: object) -> str:
    if value is None or value in ((), {}):
        return ""
    if isinstance(value, (Duration, Percent, Size)):
        return f"`{value.written()}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{', '.join(value)}`" if isinstance(value, tuple) else f"`{value}`"


def commands() -> str:
    """Return the page of the command line, from its own help."""
    lines = ["# Commands", "", NOTE]
    context = click.Context(group, info_name="swarm-tui", terminal_width=88, max_content_width=88)
    for name, command in _all_commands(group, context, ""):
        title = f"swarm-tui {name}".strip()
        inner = click.Context(command, info_name=title, terminal_width=88, max_content_width=88)
        lines += ["", f"## {title}", "", "```", command.get_help(inner).strip(), "```"]
    return "\n".join(lines) + "\n"


def _all_commands(
    command: click.Command, context: click.Context, name: str
) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all below it, each by its words."""
    yield name, command
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            found = command.get_command(context, word)
            assert found is not None
            yield from _all_commands(found, context, f"{name} {word}".strip())


def main() -> None:
    """Write the pages; with `--check`, only print the names of outdated ones."""
    if sys.argv[1:] == ["--check"]:
        # Made once: a second description of the API in one process can differ from the first.
        outdated = [path.name for path, text in pages().items() if not _is(path, text)]
        sys.exit(", ".join(outdated) or 0)
    for path, text in pages().items():
        path.write_text(text, "utf-8")


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


if __name__ == "__main__":
    main()
