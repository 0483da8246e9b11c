"""Short commands without input, as `--version`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from engine.system.environment import agent_environment

TIMEOUT_S = 20.0


async def output(argv: Sequence[str], env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command, and return exit code and stdout; raises OSError where it cannot start.

    Its environment is that of an agent, unless another is given.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=agent_environment() if env is None else env,
        start_new_session=True,
    )
    try:
        stdout, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    except BaseException as error:
        with suppress(ProcessLookupError):  # it has ended in this moment
            process.kill()
        await process.wait()
        if isinstance(error, TimeoutError):
            return 124, ""
        raise
    return process.returncode or 0, stdout.decode("utf-8", "replace")
