"""The question whether a repository's own settings are to be trusted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.domain.model import RunSpec
from engine.domain.text import printable_name
from tui.cli import foreground, output

if TYPE_CHECKING:
    from engine.engine import Consent, Engine, Template

ANSWERS = (b"t", b"w", b"\r", b"\n", b"\x1b", b"q")
QUESTION = "Trust it as it is now (t), start without it (w), or stop (Enter)?"


async def settle(engine: Engine, spec: RunSpec, *, trust: bool, may_ask: bool) -> RunSpec:
    """Give `spec` as the user wants it started, asking on a terminal where that is needed.

    What is not trusted then is for the engine to refuse.
    """
    consent = await engine.trust.asked(spec)
    if consent is None:
        return spec
    keys = foreground.keyboard() if may_ask and not trust else None
    if keys is not None:
        answer = await _answer(consent, keys)
        if answer == b"w":
            return replace(spec, with_setup=False)
        trust = answer == b"t"
    if trust:
        await engine.trust.give(consent)
    return spec


async def settle_template(
    engine: Engine, template: Template, *, trust: bool, may_ask: bool
) -> None:
    """Ask on a terminal whether a repository's template is to be trusted, where that is needed."""
    consent = await engine.templates.consent(template)
    if consent is not None:
        await ask(engine, consent, trust=trust, may_ask=may_ask)


async def ask(engine: Engine, consent: Consent, *, trust: bool, may_ask: bool) -> None:
    """Ask on a terminal whether this is to be trusted; what is not is for the engine to refuse."""
    keys = foreground.keyboard() if may_ask and not trust else None
    if keys is not None:
        trust = await _answer(consent, keys, "Trust it as it is now (t), or stop (Enter)?") == b"t"
    if trust:
        await engine.trust.give(consent)


async def _answer(consent: Consent, keys: int, question: str = QUESTION) -> bytes:
    lines = [
        f"{printable_name(consent.file)} is not trusted as it is now. It",
        *(f"  {line}" for line in consent.lines()),
        "Its commands run as you, outside Codex's sandbox.",
        question,
    ]
    with foreground.pressed(keys) as typed:
        output.say_aside("\n".join(lines))
        while (key := await typed.get()) not in ANSWERS:
            pass
    return key
