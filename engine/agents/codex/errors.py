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
    "THREAD_BUSY": CatalogueEntry(
        "Another Codex works in this thread.",
        "Close the thread in the other Codex, then resume the run.",
    ),
}
