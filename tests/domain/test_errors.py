"""Errors: a stable code, what happened in one sentence, what to do in the next."""

from __future__ import annotations

import errno
import re
from dataclasses import asdict, fields

import pytest

import engine.agents.profiles  # noqa: F401  # pyright: ignore[reportUnusedImport]  it adds errors
from engine.domain.errors import CATALOGUE, CatalogueEntry, entry_of, os_failure, user_error

PROMISED = """
    CODEX_CLI_MISSING CODEX_TOO_OLD CODEX_AUTH_REQUIRED CODEX_AUTH_FAILED CODEX_CONFIG_INVALID
    API_UNREACHABLE API_OVERLOADED RATE_LIMITED QUOTA_EXCEEDED USAGE_LIMIT_REACHED
    CONTEXT_WINDOW_EXCEEDED THREAD_NOT_FOUND WORKSPACE_MISSING WORKSPACE_TOO_LARGE WORKSPACE_UNSAFE
    SOURCE_NOT_FOUND RUN_NOT_FOUND RUN_AMBIGUOUS RUN_NOT_CANCELLABLE RUN_NOT_RETRYABLE RUN_STALLED
    RUN_TIMED_OUT RUN_INTERRUPTED BUDGET_EXCEEDED VERIFY_FAILED AGENT_CRASHED TEMPLATE_NOT_FOUND
    TEMPLATE_INVALID TEMPLATE_PARAM_MISSING CONFIG_INVALID DISK_FULL DATABASE_LOCKED
    DATABASE_CORRUPT DATABASE_NEWER WEBHOOK_FAILED NOT_A_TERMINAL
"""


@pytest.mark.parametrize("code", PROMISED.split())
def test_every_promised_code_is_in_the_catalogue(code: str) -> None:
    assert code in CATALOGUE


@pytest.mark.parametrize("code", CATALOGUE)
def test_message_and_recovery_are_one_sentence_each(code: str) -> None:
    for text in (CATALOGUE[code].message, CATALOGUE[code].recovery):
        assert re.fullmatch(r"([A-Z]|git ).*\.", text)
        assert not re.search(r"[.!?] +[A-Z]", text)
        assert "\n" not in text


PROPERTIES = {
    "is_limit": "RATE_LIMITED USAGE_LIMIT_REACHED",
    "is_retried": "API_OVERLOADED API_UNREACHABLE NODE_LOST",
    "is_login": "ACCOUNT_HOME_MISSING ACCOUNT_KEY_MISSING CODEX_AUTH_FAILED CODEX_AUTH_REQUIRED "
    "CODEX_CONFIG_INVALID",
    "is_resumable": "USAGE_LIMIT_REACHED VERIFY_FAILED",
    "is_final": "BUDGET_EXCEEDED",
    "is_of_agent": "ACCOUNT_HOME_MISSING ACCOUNT_KEY_MISSING CODEX_AUTH_FAILED CODEX_AUTH_REQUIRED "
    "CODEX_CLI_MISSING CODEX_CONFIG_INVALID CODEX_TOO_OLD",
    "has_stderr": "AGENT_CRASHED",
    "has_detail": "AGENT_CRASHED API_REFUSED CODEX_CONFIG_INVALID GIT_FAILED INTERNAL NODE_CANNOT "
    "NODE_FAILED SETUP_FAILED VERIFY_FAILED",
    "ends_checkpoints": "CHANGES_UNKNOWN GIT_MISSING NODE_LOST WORKSPACE_MISSING WORKSPACE_REMOTE "
    "WORKSPACE_UNSAFE",
    "stops_store": "DATABASE_CORRUPT DATABASE_LOCKED DATABASE_MISSING DATABASE_UNUSABLE DISK_FULL",
    "is_of_database": "DATABASE_CORRUPT DATABASE_LOCKED DATABASE_MISSING DATABASE_NEWER "
    "DATABASE_UNUSABLE",
    "is_damage": "DATABASE_CORRUPT DATABASE_MISSING",
    "is_recoverable": "DATABASE_CORRUPT DATABASE_MISSING DATABASE_UNUSABLE",
    "loses_home": "HOME_MOVED HOME_REMOVED",
    "may_be_damage": "GIT_DAMAGED GIT_FAILED GIT_OBJECT_MISSING",
    "hides_repository": "GIT_CONFIG_INVALID GIT_DAMAGED GIT_OBJECT_MISSING GIT_TOO_OLD "
    "WORKSPACE_UNSAFE",
    "starts_over": "NODE_LOST",
    "returns_to_queue": "NODE_FULL",
    "waits_for_node": "NODE_FULL NODE_UNREACHABLE",
    "is_node_away": "NODE_LOST NODE_UNREACHABLE",
    "condition": "DATABASE_LOCKED DISK_FULL",
}


def test_the_catalogue_holds_all_that_is_decided_by_a_code() -> None:
    assert [one.name for one in fields(CatalogueEntry)] == ["message", "recovery", *PROPERTIES]
    for name, codes in PROPERTIES.items():
        assert sorted(c for c, entry in CATALOGUE.items() if getattr(entry, name)) == codes.split()


def test_a_code_of_a_newer_version_has_no_properties() -> None:
    assert not any(getattr(entry_of("FROM_NEWER"), name) for name in PROPERTIES)
    assert user_error("DISK_FULL").entry is CATALOGUE["DISK_FULL"] is entry_of("DISK_FULL")


def test_a_missing_codex_says_how_to_install_it() -> None:
    error = user_error("CODEX_CLI_MISSING")
    assert "npm install -g @openai/codex" in error.recovery
    assert "`codex` extra" in error.recovery


def test_an_error_is_data_too() -> None:
    error = user_error("RUN_NOT_FOUND", "There is no run `x`.")
    assert str(error) == "There is no run `x`."
    assert asdict(error.info) == {
        "code": "RUN_NOT_FOUND",
        "message": "There is no run `x`.",
        "recovery": CATALOGUE["RUN_NOT_FOUND"].recovery,
        "docs_url": "docs/errors.md#run_not_found",
    }


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "DISK_FULL"), (errno.EDQUOT, "DISK_FULL"), (errno.EIO, "INTERNAL")],
)
def test_what_the_system_refuses_has_a_code(number: int, code: str) -> None:
    assert os_failure(OSError(number, "refused")).code == code


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_file_that_could_not_be_written_is_named_where_it_is_known(number: int) -> None:
    named = os_failure(OSError(number, "refused", "/data/a.txt"))
    assert named.message.startswith("/data/a.txt cannot be written: ")
    assert os_failure(OSError(number, "refused")).message[0].isupper()
    assert "INTERNAL" not in os_failure(OSError(number, "refused")).message
