"""Signatures of the commits made for the user, where the user's own configuration asks for them.

Only the user's own configuration counts (system, global, environment): a repository can neither ask
for a signature nor name the program that makes it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from engine.domain.errors import user_error
from engine.workspaces.git.git import Git, GitResult
from engine.workspaces.git.user_git_config import UserGitConfig

LIMIT_S = 60.0
"""Time for a signature: a key may want to be unlocked, or touched."""
# What finds the user's keys and agents. No terminal: a prompt there would garble the screen.
_ENVIRONMENT = (
    *("GNUPGHOME", "SSH_AUTH_SOCK", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"),
    "DBUS_SESSION_BUS_ADDRESS",
)


@dataclass(frozen=True, slots=True)
class Signing:
    """The settings of git for a signature."""

    settings: tuple[tuple[str, str], ...]

    def git(self, git: Git) -> Git:
        """Return git as it can sign."""
        env = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        return replace(git, programs=(*git.programs, *self.settings), env={**env, **git.env})


def signing(user: UserGitConfig) -> Signing | None:
    """Return how the user's commits are signed; None where they are not."""
    return None if user.signing is None else Signing(user.signing)


def refused(answer: GitResult) -> Exception:
    """Return the error for a commit that could not be signed."""
    how = answer.complaint or f"exit code {answer.code}"
    return user_error(
        "SIGNING_FAILED", f"The commit could not be signed, and nothing was changed: {how}."
    )
