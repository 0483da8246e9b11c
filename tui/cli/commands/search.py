"""`swarm-tui search`: words in the history of all runs."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from engine.domain.search import SearchHit
from tui.cli.support import output
from tui.cli.support.options import (
    STATUSES,
    NumberParam,
    ProjectParam,
    TextParam,
    everywhere,
    examples,
    json_option,
)
from tui.cli.support.search_words import found_json, search_text

LATEST = 50
TITLE = 24


@click.command(
    epilog=examples("search date parser", 'search "no such file" --status failed', "search 'pars*'")
)
@click.argument("words", metavar="WORDS...", nargs=-1, type=TextParam(), required=True)
@click.option("--project", type=ProjectParam(), help="Only runs of this project.")
@click.option(
    "--status",
    "statuses",
    type=STATUSES,
    multiple=True,
    help="Only runs with this status; repeatable.",
)
@click.option(
    "-n",
    "--limit",
    type=NumberParam(min=1, max=1000),
    default=LATEST,
    show_default=True,
    help="Print at most N matches.",
)
@json_option("Print what was found as one JSON object.")
@everywhere()
def search(words: tuple[str, ...], as_json: bool, **wanted: Any) -> int:  # noqa: ANN401  click passes options by name
    """Search prompts, messages, commands and outputs of all runs, newest first.

    All words must occur, in any order. An argument of several words is a phrase; `word*` matches
    all words that begin with it. Only the beginning and end of a long output are searched.
    """
    from tui.cli.support import session

    return session.start(_search(search_text(words), wanted, as_json=as_json))


async def _search(text: str, wanted: dict[str, Any], *, as_json: bool) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        found = await engine.search.find(text, **wanted)
    if as_json:
        output.say_json(found_json(found))
        return 0
    output.say_styled(_lines(found.hits, time.time()))
    if found.behind:
        output.say_aside(f"{found.behind} events are not in the index yet: search again.")
    if output.is_terminal(sys.stderr) and (not found.hits or found.more):
        output.say_aside(
            "There are more: -n NUMBER shows them." if found.more else "Nothing was found."
        )
    return 0


def _lines(hits: Sequence[SearchHit], now: float) -> Iterator[Iterable[tuple[str, str | None]]]:
    from tui import formatting
    from tui.terminal.cells import clean, fit

    titles = [clean(hit.title, 200) for hit in hits]
    width = min(TITLE, max((len(title) for title in titles), default=0))
    seq_width = max((len(str(hit.seq)) for hit in hits), default=1)
    for hit, title in zip(hits, titles, strict=True):
        about = f"{hit.run} {hit.seq:>{seq_width}}  "
        age = formatting.age(now - hit.at)
        lead = f"{age:>3}  {formatting.hit_word(hit):<9}  {fit(title, width)}  "
        room = _room(len(about) + len(lead))
        yield [
            (about, None),
            (lead, "bright_black"),
            *(
                (text, "yellow" if found else None)
                for text, found in formatting.hit_parts(hit, room)
            ),
        ]


def _room(used: int) -> int:
    """Return the cells left for the text on a terminal; in a pipe nothing is cut."""
    if not output.is_terminal(sys.stdout):
        return 10_000
    return max(30, shutil.get_terminal_size().columns - used)
