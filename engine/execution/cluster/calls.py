"""Calls to one node: typed, sent again after a lost answer, and never without a deadline."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.hosts import FREE_THERE
from engine.domain.text import printable, printable_name
from engine.domain.transient import transient
from engine.execution.cluster.channel import (
    AnswerTooLargeError,
    Channel,
    ChannelError,
    RefusedError,
)
from engine.execution.cluster.messages import Answer, Hello, Message, pack, unpack

TRY_S = 10.0
"""Longest wait for an answer that needs no work to speak of."""
PATIENCE_S = 4.0
"""Time for which a call is sent again and again."""
READ_PATIENCE_S = 1.0
"""Longest silence of a node in a read of something that is here in part."""
AWAY_S = 4.0
"""Time for which it counts that such a question got no answer."""
SILENT_S = 2.0
"""The shortest time that a node gets to show that it answers."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
ERROR_CHARACTERS = 1000
LOOK_S = 1.0
"""Time between two checks of a call that takes long for a node that is lost."""


class NodeWatch(Protocol):
    """The state of a node, which its calls report to and depend on."""

    @property
    def is_lost(self) -> bool:
        """True once the node has ended all its runs for want of a lease."""
        ...

    @property
    def is_silent(self) -> bool:
        """True while it is not known that the node answers: it has not done so lately."""
        ...

    def answered(self) -> None:
        """Take note that the node has answered."""
        ...

    async def failed(self) -> None:
        """Take note that a call got no answer, and find out about the node's lease."""
        ...


class NodeCalls:
    """Calls to one node in the name of a home; `home` returns its id."""

    def __init__(
        self,
        channel: Channel,
        node: str,
        home: Callable[[], Awaitable[str]],
        watch: NodeWatch,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.node = node
        self.watch = watch
        self.patience_s = patience_s
        self._channel = channel
        self._home = home
        self.shown: dict[str, int] = {}
        """The last checkpoints that were shown in place of runs on a node that does not answer."""
        self._away_until = 0.0

    async def read(self, message: Message[Answer], try_s: float = TRY_S) -> Answer:
        """Return the answer to a question that can be answered from here, too.

        Of a node that does not answer, only the first of several is waited for.
        """
        self.check_answers()
        try:
            return await self.call(message, try_s=try_s, patience_s=READ_PATIENCE_S)
        except UserError as error:
            if error.code == "NODE_UNREACHABLE":
                self._away_until = time.monotonic() + AWAY_S
            raise

    def check_answers(self) -> None:
        """Raise NODE_UNREACHABLE while it counts that the node does not answer."""
        if time.monotonic() < self._away_until:
            raise self.unreachable()

    async def call(
        self,
        message: Message[Answer],
        *,
        try_s: float = TRY_S,
        patience_s: float | None = None,
        is_probe: bool = False,
    ) -> Answer:
        """Return the node's answer to a message, which is sent again where none comes.

        `try_s` is how long the node may work on one; `patience_s` how long it may be silent.
        `is_probe`: also sent to a node that is lost, which may have come back. Raises `UserError`:
        NODE_UNREACHABLE, NODE_LOST, or the node's own; OSError as the node met it.
        """
        home = await self._home()
        sent = pack(home, message)
        patience_s = self.patience_s if patience_s is None else patience_s
        clock = asyncio.get_running_loop().time
        until, pause_s = clock() + patience_s, FIRST_PAUSE_S
        while is_probe or not self.watch.is_lost:
            limit_s = try_s
            if self.watch.is_silent:
                limit_s = min(try_s, max(patience_s, SILENT_S))
            try:
                if limit_s < try_s:  # only a node that answers at all is given its time
                    await self._answer(Hello(), pack(home, Hello()), limit_s, is_probe=is_probe)
                    self.watch.answered()
                data = await self._answer(message, sent, try_s, is_probe=is_probe)
            except RefusedError:
                raise self.unreachable() from None
            except ChannelError:
                await self.watch.failed()
            else:
                self.watch.answered()
                self._away_until = 0.0
                return self._unpacked(data, message)
            if not self.watch.is_lost and clock() + pause_s >= until:
                raise self.unreachable()
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)
            is_probe = False
        raise self.lost()

    def lost(self) -> UserError:
        """Return the error of a call to a node that is lost."""
        name = printable_name(self.node)
        return user_error("NODE_LOST", f"The node {name} was cut off, and ended its runs.")

    def unreachable(self) -> UserError:
        """Return the error of a call that got no answer."""
        name = printable_name(self.node)
        return user_error("NODE_UNREACHABLE", f"The node {name} does not answer at the moment.")

    def full(self) -> UserError:
        """Return the error of a start on a node without a free slot."""
        name = printable_name(self.node)
        return user_error("NODE_FULL", f"The node {name} has no free slot at the moment.")

    def _too_large(self, limit_bytes: int) -> UserError:
        self.watch.answered()
        name, most = printable_name(self.node), limit_bytes // 1024**2
        said = f"The node {name} gave an answer of more than {most} MiB, which was not read."
        return user_error("NODE_FAILED", said)

    def failed(self, why: str) -> UserError:
        """Return the error of a node that could not do something."""
        said = printable(why, ERROR_CHARACTERS)
        return user_error("NODE_FAILED", f"The node {printable_name(self.node)} failed: {said}")

    async def _answer(
        self, message: Message[Any], sent: bytes, limit_s: float, *, is_probe: bool
    ) -> bytes:
        """Return the answer to one message; waits no longer for one of a node that is lost."""
        limit_bytes = message.LIMIT_BYTES
        calling = self._channel.call(self.node, sent, limit_s, limit_bytes)
        answering = asyncio.create_task(calling)
        until = asyncio.get_running_loop().time() + limit_s + LOOK_S
        try:
            while not answering.done():
                await asyncio.wait({answering}, timeout=LOOK_S)
                is_late = asyncio.get_running_loop().time() > until
                is_lost = self.watch.is_lost and not is_probe
                if not answering.done() and (is_lost or is_late):
                    raise ChannelError(f"{self.node} does not answer")
            if len(answer := answering.result()) > limit_bytes:
                raise self._too_large(limit_bytes)
            return answer
        except AnswerTooLargeError as error:
            raise self._too_large(limit_bytes) from error
        finally:
            answering.cancel()

    def _unpacked(self, data: bytes, message: Message[Answer]) -> Answer:
        try:
            return unpack(data, message)
        except (msgspec.MsgspecError, RecursionError) as error:
            said = f"The node {printable_name(self.node)} gave an answer that cannot be read."
            raise user_error("NODE_FAILED", said) from error
        except OSError as error:
            if transient(error) or error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
                raise self._of_node(os_failure(error)) from None
            raise
        except UserError as error:
            raise self._of_node(error) from None

    def _of_node(self, error: UserError) -> UserError:
        """Return an error of the node, without meaning for the home and the machine here."""
        entry, code, recovery = error.entry, error.code, error.recovery
        node, message = f"node {printable_name(self.node)}", printable(error.message)
        if entry.stops_store or entry.is_of_database or entry.loses_home:
            code = "NODE_FAILED"
        if error.code == "DISK_FULL":
            recovery = FREE_THERE
        if node not in message:
            message = f"On the {node}: {message}"
        found = user_error(code, message, printable(recovery))
        found.is_reported = True  # a full disk there is none here
        return found
