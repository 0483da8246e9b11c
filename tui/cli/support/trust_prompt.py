"""The question whether what a repository asks for is to be trusted."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.domain.model import RunSpec
from tui.cli.support import keyboard, output

if TYPE_CHECKING:
    from engine.engine import Consent, Template
    from engine.ports.engine import EnginePort

ANSWERS = (b"t", b"w", b"\r", b"\n", b"\x1b", b"q")
NEXT = b" "
QUESTION = "Trust it as it is now (t), start without it (w), or stop (Enter)?"
OR_STOP = "Trust it as it is now (t), or stop (Enter)?"
TOLD = 8
"""Things that `--trust` names on stderr."""
OTHER_ROWS = 12
"""Rows of a terminal that the question needs beside what is asked for."""


async def settle(engine: EnginePort, spec: RunSpec, *, trust: bool, may_ask: bool) -> RunSpec:
    """Return `spec` as the user wants it started, asking on a terminal where that is needed.

    The engine refuses the parts that are not trusted then.
    """
    consent = await engine.trust.asked(spec)
    if consent is None:
        return spec
    keys = keyboard.keyboard() if may_ask and not trust else None
    if keys is not None:
        answer = await _answer(consent, keys)
        if answer == b"w":
            return replace(spec, with_setup=False)
        trust = answer == b"t"
    elif trust:
        _tell(consent)
    if trust:
        await engine.trust.grant(consent)
    return spec


async def settle_template(
    engine: EnginePort,
    template: Template,
    spec: RunSpec,
    said: Collection[str],
    given: Mapping[str, str],
    *,
    trust: bool,
    may_ask: bool,
) -> None:
    """Ask on a terminal whether a repository's template is to be trusted, where that is needed."""
    consent = await engine.templates.consent(template, spec, said, given)
    if consent is not None:
        await ask(engine, consent, trust=trust, may_ask=may_ask)


async def ask(engine: EnginePort, consent: Consent, *, trust: bool, may_ask: bool) -> None:
    """Ask on a terminal whether this is to be trusted; what is not is for the engine to refuse."""
    keys = keyboard.keyboard() if may_ask and not trust else None
    if keys is not None:
        trust = await _answer(consent, keys, OR_STOP) == b"t"
    elif trust:
        _tell(consent)
    if trust:
        await engine.trust.grant(consent)


async def _answer(consent: Consent, keys: int, question: str = QUESTION) -> bytes:
    """Show what is asked for, a page at a time with the question below, and return the answer."""
    from tui.formatting import trust_request as shown

    columns, rows = shutil.get_terminal_size()
    pages = shown.pages(consent, max(3, rows - OTHER_ROWS), columns)
    number, key = 0, NEXT
    with keyboard.pressed(keys) as typed:
        while key == NEXT:
            output.say_aside("\n".join(_page(consent, pages, number, question)))
            while (key := await typed.get()) not in ANSWERS and key != NEXT:
                pass
            number = (number + 1) % len(pages)
    return key


def _page(consent: Consent, pages: list[list[str]], number: int, question: str) -> list[str]:
    from tui.formatting import trust_request as shown

    where = shown.place(pages, number)
    return [
        shown.heading(consent),
        *(f"  {line}" for line in pages[number]),
        *([f"  ({where}; Space: next page)"] if where else []),
        shown.AS_YOU,
        consent.note(),
        question,
    ]


def _tell(consent: Consent) -> None:
    """Print on stderr what `--trust` trusts."""
    name, *lines = listed(consent, TOLD)
    output.say_aside(
        "\n".join(
            [
                name.replace(" is not trusted as it is now. It", " is trusted from now on. It"),
                *lines,
            ]
        )
    )


def listed(consent: Consent, most: int) -> list[str]:
    """Return what is asked for as lines of a preview, `most` of them with a count of the rest."""
    from tui.formatting import trust_request as shown

    lines = consent.lines()
    more = [f"  and {len(lines) - most} more"] if len(lines) > most else []
    return [shown.heading(consent), *(f"  {shown.shortened(each)}" for each in lines[:most]), *more]
