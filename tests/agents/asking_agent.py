"""A script that asks: `ask NUMBER WHAT` waits for an answer, and prints it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import script_agent
from script_agent import SCRIPT, ScriptAgent, ScriptReader, ScriptState

from engine.agents import registry
from engine.agents.base import AgentCommand, CommandRequest, ExtraRequest, OutputReader
from engine.agents.codex.interactive import inbox
from engine.domain.events import Body
from engine.domain.interaction import InputRequest, RequestKind, RequestPhase
from engine.domain.model import Run

ASK = r"""ask() {
  echo "ASK $1 $2"
  until answer=$(grep -s "answer:$1\"" "$INBOX"); do sleep 0.02; done
  echo "APPLIED $1"
  case $answer in *'"approve"'*) echo "yes: $2" ;; *) echo "no: $2"; return 1 ;; esac
}
"""


class AskingReader(ScriptReader):
    """A reader of lines, of which some are requests."""

    def read(self, lines: Sequence[bytes]) -> list[Body]:
        return [body for line in lines for body in self._of(line)]

    def _of(self, line: bytes) -> list[Body]:
        word, _, rest = line.decode().partition(" ")
        number, _, what = rest.partition(" ")
        if word == "ASK":
            digest = hashlib.sha256(what.encode()).hexdigest()
            kind = RequestKind.COMMAND
            fields = {"text": what, "command": what, "cwd": ".", "digest": digest}
            return [InputRequest(number, RequestPhase.RAISED, kind, reason="Please", **fields)]
        if word == "APPLIED":
            return [InputRequest(number, RequestPhase.APPLIED)]
        return super().read([line])


class AskingAgent(ScriptAgent):
    """The shell as an agent that asks."""

    @property
    def requests(self) -> frozenset[ExtraRequest]:
        return frozenset(ExtraRequest)

    def command(self, request: CommandRequest) -> AgentCommand:
        variables = {**request.of_commands, "INBOX": str(request.folder.inbox)}
        return AgentCommand(("/bin/sh", "-s"), variables)

    def pending_records(self, run: Run) -> Sequence[tuple[str, bytes]]:
        return inbox.pending(run)

    def reader(self, state: bytes, root: str, home: object) -> OutputReader:
        return AskingReader(msgspec.json.decode(state, type=ScriptState))


@contextmanager
def asking_agent() -> Iterator[None]:
    """Have scripts ask."""
    script_agent.register()
    registry.unregister(SCRIPT.value)
    registry.register(AskingAgent())
    try:
        yield
    finally:
        script_agent.unregister()
