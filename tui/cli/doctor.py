"""`swarm-tui doctor`: what may keep runs from working, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from tui.cli import failure, output
from tui.cli.options import File, everywhere, examples, json_option

if TYPE_CHECKING:
    from engine.engine import Finding

LOOKS = {"ok": ("✓", "+", "green"), "warning": ("!", "!", "yellow"), "fail": ("✗", "x", "red")}


@click.command(epilog=examples("doctor", "doctor --json", "doctor --end-orphans"))
@click.option("--end-orphans", is_flag=True, help="End the processes that ended runs left alive.")
@click.option("--codex-bin", type=File(), metavar="PATH", help="The Codex CLI to look at.")
@json_option("Print the findings as one JSON object.")
@everywhere()
def doctor(end_orphans: bool, codex_bin: str | None, as_json: bool) -> int:
    """Look at Codex, its login and network, git, disk, database, settings and terminal.

    The exit code is 0 if nothing failed, else 1.
    """
    from tui.cli import session

    ended, findings = session.run(_examine(codex_bin, end_orphans=end_orphans))
    healthy = all(finding.health != "fail" for finding in findings)
    if as_json:
        told = {"ok": healthy, "findings": [asdict(finding) for finding in findings]}
        output.say_json({**told, "ended_orphans": ended} if end_orphans else told)
        return 0 if healthy else failure.EXIT_FAILED
    if end_orphans:
        output.say(f"ended what {ended} run{'' if ended == 1 else 's'} had left alive")
    _tell(findings)
    return 0 if healthy else failure.EXIT_FAILED


async def _examine(codex_bin: str | None, *, end_orphans: bool) -> tuple[int, list[Finding]]:
    from engine import config, paths
    from engine.domain.errors import UserError
    from engine.engine import Engine, Finding, Health
    from tui.cli import log

    places = paths.find()
    log.keep(places)
    try:
        settings = config.load(places.config)
    except UserError:
        settings = config.Config()  # the doctor itself says what is wrong with them
    try:
        async with Engine.open(places, settings, follow=False) as engine:
            ended = await engine.doctor.end_orphans() if end_orphans else 0
            return ended, await engine.doctor.examine(codex_bin)
    except UserError as error:
        return 0, [Finding("home", Health.FAIL, error.message, error.recovery)]


def _tell(findings: list[Finding]) -> None:
    from tui.show import sign

    width = max(len(finding.name) for finding in findings)
    lines: list[list[tuple[str, str | None]]] = []
    for finding in findings:
        glyph, plain, colour = LOOKS[finding.health]
        state = f"{sign(glyph, plain)} {finding.health:<7}  "
        message = finding.message.replace("\n", " ")
        lines.append([(state, colour), (f"{finding.name:<{width}}  {message}", None)])
        if finding.recovery:
            lines.append([(" " * (len(state) + width + 2) + finding.recovery, None)])
    output.say_styled(lines)
