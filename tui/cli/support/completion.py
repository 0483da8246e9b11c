"""`swarm-tui completion`: what a shell needs to complete commands, flags, runs and projects."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    split_arg_string,
)

from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.domain.text import one_line, printable_name
from engine.domain.usage import DEFAULT_ACCOUNT
from engine.system.files import expanded
from tui.cli import COMPLETE
from tui.cli.support import output
from tui.cli.support.named_paths import absolute
from tui.cli.support.options import ChoiceParam, everywhere, examples
from tui.models.filters import FIELDS, LISTS, VALUES
from tui.models.repository import top_of

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.ports.engine import EnginePort

Found = TypeVar("Found")
SHOWN_CHARS = 60
NEWEST = 100
"""Runs that are offered; older ones only where none of these fits."""


class BashCompletion(BashComplete):
    """Completion for bash 4.4 and newer, with descriptions in the list of what is possible."""

    # Readline breaks words at @ and =, too: what it has of the word is all that may be replaced.
    source_template = r"""%(complete_func)s() {
    local kind value help
    local -a values=() lines=()
    while IFS=$'\t' read -r kind value help; do
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            *) values+=("$value"); lines+=("$value${help:+  ($help)}") ;;
        esac
    done < <(COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORD="$2" \
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
    if [[ ${#values[@]} -gt 1 && $COMP_TYPE -ne 9 && $COMP_TYPE -ne 37 ]]; then
        COMPREPLY=("${lines[@]}")
    else
        COMPREPLY=("${values[@]}")
        [[ ${values[*]} == */ ]] && compopt -o nospace
    fi
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    @staticmethod
    def _check_version() -> None:
        """Start no shell to ask how old it is."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the whole words before the cursor, and the one that is being typed."""
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)
        typed = "" if line[-1:].isspace() else words.pop()
        return words[1:], typed

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return a line: kind, value, description."""
        _, typed = self.get_completion_args()
        value = typed.partition("=")[2] if typed.startswith("--") and "=" in typed else typed
        word = os.environ.get("COMP_WORD", value)
        quote = word[:1] if word[:1] in ("'", '"') else ""
        broken_off = len(value) - len(_unquoted(word))
        quoted = _quoted_for_bash(str(item.value)[max(0, broken_off) :], quote)
        return "\t".join((item.type, quoted, item.help or ""))


def _unquoted(word: str) -> str:
    """Return a word that is being typed without the quotes and backslashes around its letters."""
    return (split_arg_string(word) or [""])[-1] if word else ""


def _quoted_for_bash(value: str, quote: str) -> str:
    """Quote a value so that bash takes it for one word: readline inserts it as it stands.

    `quote` is the quotation mark with which the word on the command line begins, if it does.
    """
    if quote == "'":
        return quote + value.replace("'", "'\\''")
    if quote:
        return quote + re.sub(r'[\\"$`!]', r"\\\g<0>", value)
    return re.sub(r"[^\w@%+=:,./-]", r"\\\g<0>", value, flags=re.ASCII) if value else value


def _is_plain(item: CompletionItem[Any]) -> bool:
    """Return whether a value can be typed as it is shown: shells read answers line by line."""
    value = str(item.value)
    return value == printable_name(value)


SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashCompletion,
    "zsh": ZshComplete,
    "fish": FishComplete,
}
HOW = {
    "bash": "completion bash > ~/.local/share/bash-completion/completions/swarm-tui",
    "zsh": 'completion zsh > "${fpath[1]}/_swarm-tui"',
    "fish": "completion fish > ~/.config/fish/completions/swarm-tui.fish",
}


@click.command(epilog=examples(*HOW.values()))
@click.argument("shell", type=ChoiceParam(SHELLS))
@everywhere()
def completion(shell: str) -> int:
    """Print the script that makes SHELL (bash, zsh or fish) complete what you type.

    It completes commands, flags and their values, run ids with status and title, batches,
    templates, patterns, receivers, projects, and files in workspaces. New shells know it when it
    lies where they look; see the examples.
    """
    output.say(SHELLS[shell](completion, {}, "swarm-tui", COMPLETE).source().rstrip())
    return 0


def answer(cli: click.Command) -> int:
    """Answer a shell that asks how a line could go on; whatever goes wrong, it gets no answer."""
    shell, _, what = os.environ.get(COMPLETE, "").partition("_")
    if shell not in SHELLS or what != "complete":
        return 1
    try:
        told = _answer(SHELLS[shell](cli, {}, "swarm-tui", COMPLETE))
    except Exception:
        return 1
    if told:
        output.say_bytes(f"{told}\n".encode("utf-8", "replace"))
    return 0


def _answer(shell: ShellComplete) -> str:
    items = shell.get_completions(*shell.get_completion_args())
    return "\n".join(shell.format_completion(item) for item in items if _is_plain(item))


def runs(
    typed: str, taken: Iterable[str], fits: Callable[[Run], bool]
) -> list[CompletionItem[str]]:
    """Return the runs that begin so, newest first, each with status and title.

    Where none does, the one run that ends so is offered: shells replace the word by its id.
    """

    async def find(engine: EnginePort) -> list[Run]:
        newest = await engine.runs(limit=NEWEST)
        if typed and not any(run.id.startswith(typed) for run in newest):
            older = await engine.runs(like=typed, limit=NEWEST)
            return [*newest, *(run for run in older if run.id < newest[-1].id)]
        return newest

    known = _ask(find, [])
    begun = [run for run in known if run.id.startswith(typed)]
    ending = [run for run in known if run.id.endswith(typed)]
    items = [
        CompletionItem(run.id, help=f"{run.status} · {one_line(run.spec.title, SHOWN_CHARS)}")
        for run in begun or (ending if len(ending) == 1 else [])
        if run.id not in taken and fits(run)
    ]
    if "@last".startswith(typed) and known and fits(known[0]) and "@last" not in taken:
        items.append(CompletionItem("@last", help="the newest run"))
    return items


def projects(typed: str) -> list[CompletionItem[str]]:
    """Offer the projects that there are."""

    async def find(engine: EnginePort) -> list[str]:
        return await engine.annotations.projects()

    plain = (name for name in _ask(find, []) if name == printable_name(name))
    return [CompletionItem(name) for name in plain if name.startswith(typed)]


def accounts(typed: str) -> list[CompletionItem[str]]:
    """Offer the accounts of the settings, and the default one."""

    async def find(engine: EnginePort) -> list[str]:
        return [DEFAULT_ACCOUNT, *sorted(one.name for one in engine.config.accounts)]

    return [CompletionItem(name) for name in _ask(find, []) if name.startswith(typed)]


def tags(typed: str, run: str | None = None) -> list[CompletionItem[str]]:
    """Offer the tags of a run, or of all runs."""

    async def find(engine: EnginePort) -> list[str]:
        return sorted((await engine.find(run)).tags) if run else await engine.annotations.tags()

    return [CompletionItem(tag) for tag in _ask(find, []) if tag.startswith(typed.lower())]


def filter_terms(typed: str) -> list[CompletionItem[str]]:
    """Offer the terms of the filter of runs, and behind a colon its values."""
    denied = typed[: len(typed) - len(typed.lstrip("!"))]
    name, colon, begun = typed.removeprefix(denied).partition(":")
    if not colon:
        names = (f"{field}:" for field in (*FIELDS, *LISTS))
        return [CompletionItem(denied + one) for one in names if one.startswith(name.lower())]
    known: dict[str, Callable[[], Iterable[str]]] = {
        **{field: lambda words=words: words for field, words in VALUES.items()},
        "tag": lambda: (str(one.value) for one in tags(begun)),
        "project": lambda: (str(one.value) for one in projects(begun)),
        "batch": lambda: (str(one.value) for one in batches(begun)),
    }
    values = known.get(name.lower(), tuple)()
    return [CompletionItem(f"{denied}{name}:{one}") for one in values if one.startswith(begun)]


def templates(typed: str) -> list[CompletionItem[str]]:
    """Offer the templates that can be used, each with what it does."""

    async def find(engine: EnginePort) -> list[tuple[str, str]]:
        place = WorkspaceSpec(WorkspaceKind.WORKTREE, str(Path.cwd()))
        known = await engine.templates.all(engine.templates.repository_of(place))
        return [(it.name, it.keys.description or "") for it in known.values() if not it.problem]

    return [
        CompletionItem(name, help=one_line(text, SHOWN_CHARS))
        for name, text in _ask(find, [])
        if name.startswith(typed)
    ]


def batches(typed: str) -> list[CompletionItem[str]]:
    """Offer the batches that there are, each with what it was made of."""

    async def find(engine: EnginePort) -> list[tuple[str, str]]:
        return [(each.id, each.made_of) for each in await engine.swarms.all()]

    return [
        CompletionItem(name, help=one_line(text, SHOWN_CHARS))
        for name, text in _ask(find, [])
        if name.startswith(typed)
    ]


def patterns(typed: str) -> list[CompletionItem[str]]:
    """Offer the patterns that there are, each with its goal."""

    async def find(engine: EnginePort) -> list[tuple[str, str]]:
        return [(known.id, known.pattern.goal) for known in await engine.patterns.all()]

    return [
        CompletionItem(name, help=one_line(goal, SHOWN_CHARS))
        for name, goal in _ask(find, [])
        if name.startswith(typed)
    ]


def rules(typed: str) -> list[CompletionItem[str]]:
    """Offer the rules that the user can remove, each with its words."""

    async def find(engine: EnginePort) -> list[tuple[str, str]]:
        return [(rule.id, rule.words) for rule in await engine.rules() if rule.origin == "user"]

    return [
        CompletionItem(name, help=one_line(text, SHOWN_CHARS))
        for name, text in _ask(find, [])
        if name.startswith(typed)
    ]


def bases(folder: str, typed: str) -> list[CompletionItem[str]]:
    """Offer the branches, remote branches and tags of the repository around a folder."""

    async def find(engine: EnginePort) -> list[tuple[str, str]]:
        place = WorkspaceSpec(WorkspaceKind.WORKTREE, str(expanded(folder).absolute()))
        return await engine.sources.refs(place)

    return [
        CompletionItem(name, help=what) for name, what in _ask(find, []) if name.startswith(typed)
    ]


def subfolders(folder: str, typed: str) -> list[CompletionItem[str]]:
    """Offer the folders of a repository, or below a folder outside of any, level by level."""
    source = absolute(folder)
    top = top_of(source) or source
    inside, slash, begun = typed.rpartition("/")
    if ".." in inside.split("/") or typed.startswith("/"):
        return []
    try:
        names = sorted(each.name for each in os.scandir(top / inside) if each.is_dir())
    except OSError:
        return []
    return [
        CompletionItem(f"{inside}{slash}{name}/")
        for name in names
        if name.startswith(begun) and name != ".git" and (begun or not name.startswith("."))
    ]


def receivers(typed: str) -> list[CompletionItem[str]]:
    """Complete receivers of notifications, each with its address."""

    async def find(engine: EnginePort) -> list[tuple[str, str]]:
        return [(one.name, one.address) for one in await engine.notifications.receivers()]

    return [
        CompletionItem(name, help=one_line(address, SHOWN_CHARS))
        for name, address in _ask(find, [])
        if name.startswith(typed)
    ]


def workspace_files(run: str, typed: str) -> list[CompletionItem[str]]:
    """Offer the files and folders of a run's workspace, one level at a time."""
    folder, slash, begun = typed.rpartition("/")

    async def find(engine: EnginePort) -> list[tuple[str, bool]]:
        entries = await engine.workspaces.folder(run, folder)
        return [
            (entry.name, entry.is_folder) for entry in entries if entry.path.endswith(entry.name)
        ]

    return [
        CompletionItem(f"{folder}{slash}{name}{'/' if is_folder else ''}")
        for name, is_folder in _ask(find, [])
        if name.startswith(begun)
        and (begun or not name.startswith("."))
        # A shell may put the only name on the line: it must not become an option there.
        and (typed or not name.startswith("-"))
    ]


def _ask(find: Callable[[EnginePort], Awaitable[Found]], otherwise: Found) -> Found:
    """Look into the user's home if there is one; a shell that asks must not make it."""
    from engine.config import paths
    from tui.cli.support import session

    async def ask() -> Found:
        async with session.open_engine(quiet=True) as engine:
            return await find(engine)

    return session.run(ask()) if paths.find().database.exists() else otherwise
