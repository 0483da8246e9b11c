"""A sandbox in which no command can start: a run of the real Codex fails and says so."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from house import House, ended, task, wrapped
from loopback import LoopbackServer, add_file, codex_binary, command, message, patch

from engine.agents.codex import doctor
from engine.domain.model import Sandbox, Status

CLOSE = "echo 0 >/proc/sys/user/max_user_namespaces"


def _without_namespaces(lab: Path) -> str:
    """Return a Codex for whose commands no user namespace can be made."""
    inner = f'{CLOSE}; exec "$@"'
    if subprocess.run(["unshare", "-Ur", "sh", "-c", CLOSE], check=False).returncode:
        pytest.skip("no namespace can be made here to close the others in")
    return wrapped(lab, f"exec unshare -Ur sh -c '{inner}' sh {codex_binary()} \"$@\"")


def _without_bubblewrap(lab: Path) -> str:
    """Return a Codex that finds no bubblewrap; then its commands are in no item."""
    binary, alone = Path(codex_binary()).resolve(), lab / "alone/codex"
    alone.parent.mkdir()
    try:
        alone.hardlink_to(binary)
    except OSError as error:
        pytest.skip(f"Codex's program cannot be linked: {error}")
    with binary.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            pytest.skip("npm's Codex is a script, which finds its program by itself")
    return wrapped(lab, f'PATH={alone.parent} exec {alone} "$@"')


@pytest.mark.parametrize("make", [_without_namespaces, _without_bubblewrap])
async def test_run_fails_whose_sandbox_cannot_start(
    make: object, house: House, server: LoopbackServer, lab: Path
) -> None:
    assert callable(make)
    codex = str(make(lab))
    steps = [command("echo hi; exit 3"), patch(add_file("a.txt", "x")), message("done")]
    spec = task(server.script("refused", steps), codex_bin=codex)
    async with house.engine() as engine:
        run = await ended(engine, await engine.start(spec))
    assert run.status is Status.FAILED
    assert run.error
    assert run.error.code == "SANDBOX_UNUSABLE"
    assert "bubblewrap is unavailable" in run.error.message or "bwrap: " in run.error.message
    said = await doctor.sandbox_error(codex)
    assert said in run.error.message


async def test_run_without_a_sandbox_needs_none(
    house: House, server: LoopbackServer, lab: Path
) -> None:
    prompt = server.script(
        "free", [command("echo 'bwrap: no'; exit 1"), command("true"), message("x")]
    )
    spec = task(prompt, codex_bin=_without_namespaces(lab), sandbox=Sandbox.DANGER_FULL_ACCESS)
    async with house.engine() as engine:
        run = await ended(engine, await engine.start(spec))
    assert run.status is Status.SUCCEEDED


async def test_command_that_fails_like_a_sandbox_is_a_success_beside_one_that_worked(
    house: House, server: LoopbackServer
) -> None:
    steps = [command("true"), command("echo 'bwrap: no' >&2; exit 1"), message("x")]
    async with house.engine() as engine:
        run = await ended(engine, await engine.start(task(server.script("odd", steps))))
    assert run.status is Status.SUCCEEDED
