"""The section `codex` of the settings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from engine.agents.codex import exposed_secrets
from engine.domain.interaction import ApprovalPolicy, RunMode
from engine.domain.model import Sandbox
from engine.domain.text import printable_name


class CodexSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of how Codex is started."""

    bin: Annotated[
        str | None,
        Meta(description="the Codex executable; else PATH, else the Python package"),
    ] = None
    model: Annotated[str | None, Meta(description="the model; else Codex's own choice")] = None
    sandbox: Annotated[Sandbox, Meta(description="what commands may do")] = Sandbox.WORKSPACE_WRITE
    mode: Annotated[
        RunMode,
        Meta(description="`exec`, or `interactive`: the agent asks, and can be spoken to"),
    ] = RunMode.EXEC
    approvals: Annotated[
        ApprovalPolicy,
        Meta(description="when an interactive agent asks: `on-request` or `untrusted`"),
    ] = ApprovalPolicy.ON_REQUEST
    on_limit: Annotated[
        Literal["wait", "next"],
        Meta(
            description="at a usage limit: `wait` for the account's reset, or go on under the "
            "`next` account with room: [accounts.md](accounts.md)"
        ),
    ] = "wait"
    config: Annotated[
        dict[str, Any],
        Meta(description="Codex settings, as with `codex -c`; secrets by variable only"),
    ] = {}

    def __post_init__(self) -> None:
        """Refuse secrets: everybody on the machine can see the arguments of Codex."""
        if name := exposed_secrets.exposed(self.config):
            raise ValueError(
                f"`codex.config.{printable_name(name)}` looks like a secret, and arguments are "
                f"visible in the process list. {exposed_secrets.ADVICE}."
            )

    @property
    def secret_variables(self) -> frozenset[str]:
        """The names of the variables that secrets of model providers are taken from."""
        return exposed_secrets.variables(self.config)
