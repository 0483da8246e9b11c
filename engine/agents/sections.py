"""The sections of the settings that agents bring with them."""

from __future__ import annotations

from msgspec import Struct

from engine.agents.codex.settings import CodexSettings


class AgentSections(Struct, frozen=True, forbid_unknown_fields=True):
    """One section for each agent that has settings, under a key of its own."""

    codex: CodexSettings = CodexSettings()

    @property
    def secret_variables(self) -> frozenset[str]:
        """The variables that agents, and no other programs, take secrets from."""
        return self.codex.secret_variables
