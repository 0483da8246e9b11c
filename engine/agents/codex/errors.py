"""Errors of Codex's program, login and settings."""

from __future__ import annotations

from engine.domain.errors import CatalogueEntry

ERRORS = {
    "CODEX_CLI_MISSING": CatalogueEntry(
        "The Codex CLI was not found.",
        "Install it with `npm install -g @openai/codex`, or install this package with its "
        "`codex` extra, or name the file with --codex-bin.",
        is_of_agent=True,
    ),
    "CODEX_TOO_OLD": CatalogueEntry(
        "This Codex CLI is too old.",
        "Update it with `npm install -g @openai/codex@latest`.",
        is_of_agent=True,
    ),
    "CODEX_AUTH_REQUIRED": CatalogueEntry(
        "Codex is not logged in.",
        "Run `codex login`, then retry.",
        is_login=True,
        is_of_agent=True,
    ),
    "CODEX_AUTH_FAILED": CatalogueEntry(
        "The model provider refused the login.",
        "Check the API key or run `codex login` again, then retry.",
        is_login=True,
        is_of_agent=True,
    ),
    "CODEX_CONFIG_INVALID": CatalogueEntry(
        "Codex cannot read its settings.",
        "Fix the place it names in config.toml, then retry.",
        is_login=True,
        has_detail=True,
        is_of_agent=True,
    ),
    "ACCOUNT_HOME_MISSING": CatalogueEntry(
        "The Codex home of the account is missing.",
        "Make the folder and log in there: `CODEX_HOME=FOLDER codex login`.",
        is_login=True,
        is_of_agent=True,
    ),
    "ACCOUNT_HOME_UNSAFE": CatalogueEntry(
        "The Codex home of the account is not safe from agents.",
        "Move it out of workspaces and repositories, such as to ~/.codex-work.",
    ),
    "ACCOUNT_KEY_MISSING": CatalogueEntry(
        "The variable with the key of the account is not set.",
        "Set it for the process that supervises the runs, then retry.",
        is_login=True,
        is_of_agent=True,
    ),
    "ACCOUNT_THREAD_DIFFERS": CatalogueEntry(
        "The thread went on differently under another account.",
        "Retry the run with a new thread, or move the session file out of that Codex home.",
    ),
    "THREAD_BUSY": CatalogueEntry(
        "Another Codex works in this thread.",
        "Close the thread in the other Codex, then resume the run.",
    ),
}
