"""The environment of programs that run in a workspace: agent, set-up, check, shell and editor.

Called from a git alias or hook we inherit variables that point git at the user's own repository
(`GIT_DIR`, `GIT_INDEX_FILE`, …): a command in a workspace would work on that one. They never pass.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

# Not a list of what is left out: a newer git may know more variables that name a repository.
_PASSED = frozenset(
    {
        *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"),
        *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"),
        *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_TERMINAL_PROMPT"),
        *("GIT_EDITOR", "GIT_SEQUENCE_EDITOR", "GIT_PAGER", "GIT_ALLOW_PROTOCOL"),
        *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY", "GIT_SSL_NO_VERIFY"),
        *("GIT_HTTP_PROXY_AUTHMETHOD", "GIT_PROXY_SSL_CAINFO", "GIT_CEILING_DIRECTORIES"),
    }
)
"""Variables of git that say who the user is and what they use, not which repository is meant."""


def is_passed(name: str) -> bool:
    """Return whether a variable of ours is passed on to programs that run in a workspace."""
    return not name.startswith("GIT_") or name in _PASSED


def workspace_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return our environment without what names a repository of git's, and with `more`."""
    own = {name: value for name, value in os.environ.items() if is_passed(name)}
    return {**own, **(more or {})}
