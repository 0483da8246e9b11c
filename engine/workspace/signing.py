"""Signatures of the commits made for the user, where the user's own configuration asks for them.

Only what the system's and the user's global configuration say counts: a repository can neither ask
for a signature nor name the program that makes it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from engine.domain.errors import user_error
from engine.workspace.git import Answer, Git
from engine.workspace.repository import Repository

LIMIT_S = 60.0
"""How long a signature may take: a key may want to be unlocked, or touched."""
_TRUSTED = ("system", "global")
_ASKED = r"^(commit\.gpgsign|user\.signingkey|gpg\..+)$"
_TRUE = ("true", "yes", "on", "1")
# What finds the user's keys and agents. No terminal: a prompt there would garble the screen.
_ENVIRONMENT = (
    *("GNUPGHOME", "SSH_AUTH_SOCK", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"),
    "DBUS_SESSION_BUS_ADDRESS",
)


@dataclass(frozen=True, slots=True)
class Signing:
    """How to sign: the settings of git that say with what."""

    settings: tuple[str, ...]

    def git(self, git: Git) -> Git:
        """Return git as it can sign."""
        env = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        return replace(git, settings=(*git.settings, *self.settings), env={**env, **git.env})


async def signing(repository: Repository, somewhere: Path) -> Signing | None:
    """Return how the user's commits are signed; None where they are not. Raises `UserError`."""
    git = Git(somewhere if somewhere.is_dir() else repository.git_dir, users_settings=True)
    answer = await git.ask("config", "-z", "--show-scope", "--get-regexp", _ASKED)
    found: dict[str, str] = {}
    parts = answer.out.split(b"\0")
    for scope, line in zip(parts[::2], parts[1::2], strict=False):
        key, equals, value = os.fsdecode(line).partition("\n")
        if os.fsdecode(scope) in _TRUSTED:
            found[key] = value if equals else "true"
    if found.pop("commit.gpgsign", "false").lower() not in _TRUE:
        return None
    return Signing(tuple(f"{key}={value}" for key, value in found.items()))


def refused(answer: Answer) -> Exception:
    """Return the error for a commit that could not be signed."""
    how = answer.complaint or f"exit code {answer.code}"
    return user_error(
        "SIGNING_FAILED", f"The commit could not be signed, and nothing was changed: {how}."
    )
