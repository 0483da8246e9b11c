"""`swarm-tui doctor`: what may keep runs from working, and what to do about it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from tui.cli.support import failure, output
from tui.cli.support.diagnosis import diagnosis_json, is_healthy
from tui.cli.support.options import FileParam, everywhere, examples, json_option

if TYPE_CHECKING:
    from engine.engine import Finding, RecoveryReport
    from engine.ports.services import DoctorPort

PATIENCE_S = 1.5
"""Time after which a command shows that it reads the database."""
LOOKS = {"ok": ("✓", "+", "green"), "warning": ("!", "!", "yellow"), "fail": ("✗", "x", "red")}


@click.command(
    epilog=examples("doctor", "doctor --json", "doctor --end-orphans", "doctor --recover")
)
@click.option("--end-orphans", is_flag=True, help="End leftover processes of ended runs.")
@click.option(
    "--recover", is_flag=True, help="Rebuild a lost database from the folders of the runs."
)
@click.option("--codex-bin", type=FileParam(), metavar="PATH", help="Check this Codex CLI.")
@json_option("Print the findings as one JSON object.")
@everywhere()
def doctor(end_orphans: bool, recover: bool, codex_bin: str | None, as_json: bool) -> int:
    """Check Codex, its login and network, git, disk, database, cluster, settings and terminal.

    The exit code is 0 if nothing failed, else 1; with --recover, 0 if the database was rebuilt.
    """
    from tui.cli.support import session
    from tui.cli.support.named_paths import program_path

    recovered = session.run(_recover()) if recover else None
    ended, findings = session.run(_examine(program_path(codex_bin), end_orphans=end_orphans))
    healthy = is_healthy(findings)
    code = 0 if healthy or recovered else failure.EXIT_FAILED
    if as_json:
        told: dict[str, object] = diagnosis_json(findings)
        told |= {"ended_orphans": ended} if end_orphans else {}
        output.say_json({**told, "recovered": _as_json(recovered)} if recovered else told)
        return code
    if recovered:
        _tell_recovered(recovered)
    if end_orphans:
        output.say(f"ended what {ended} run{'' if ended == 1 else 's'} had left alive")
    _tell(findings)
    return code


async def _recover() -> RecoveryReport:
    from engine.config import paths
    from engine.config import settings as config
    from engine.engine import Engine, recover
    from tui.cli.support import log_file, session

    places = paths.find()
    log_file.keep(places)
    done = await recover(places)
    async with Engine.open(places, config.Config(), follow=False) as engine:
        await session.see_to_what_is_left(engine)
    return done


def _as_json(done: RecoveryReport) -> dict[str, object]:
    return {**asdict(done), "aside": str(done.aside) if done.aside else None}


def _tell_recovered(done: RecoveryReport) -> None:
    if done.aside:
        output.say(f"kept what was left of the database as {done.aside}*")
    runs = "1 run" if done.runs == 1 else f"{done.runs} runs"
    output.say(f"rebuilt {runs} with {done.events} events from their folders")
    for name in done.unreadable:
        output.say(f"runs/{name} holds too little to rebuild a run")


async def _examine(codex_bin: str | None, *, end_orphans: bool) -> tuple[int, list[Finding]]:
    from engine.config import paths
    from engine.config.config_file import load_usable
    from engine.doctor import examine_without_database
    from engine.domain.errors import UserError
    from engine.engine import Engine
    from tui.cli.support import log_file

    places = paths.find()
    log_file.keep(places)
    try:
        async with Engine.open(places, follow=False) as engine:
            ended = await engine.doctor.end_orphans() if end_orphans else 0
            return ended, await _examine_whole(engine.doctor, codex_bin)
    except UserError as error:
        config = load_usable(places).config
        return 0, await examine_without_database(places, config, error, codex_bin)


async def _examine_whole(doctor: DoctorPort, codex_bin: str | None) -> list[Finding]:
    """Check everything, with a line on stderr while a large database is read."""
    from tui.cli.support.work_line import work_line

    with work_line() as line, ExitStack() as waiting:

        def read_database(_: Sequence[Finding]) -> None:
            line.begin("reading the whole database")
            shown = asyncio.get_running_loop().call_later(PATIENCE_S, line.tell, 0)
            waiting.callback(shown.cancel)

        found = await line.unless_stopped(doctor.examine(codex_bin, read_database))
    if found is None:
        raise click.Abort
    return found


def _tell(findings: list[Finding]) -> None:
    from tui.formatting import sign

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
