"""Secrets are found in Codex's settings before they become arguments, and hidden in texts."""

from __future__ import annotations

import time
from typing import Any

import pytest
from rich.pretty import pretty_repr

from engine.agents.codex.exposed_secrets import check, exposed, variables
from engine.config.addresses import Url
from engine.domain.errors import UserError, user_error
from engine.domain.fault import error_line
from engine.domain.secrets import hide

SECRET = "sk-proj-0123456789abcdefghij"
PROVIDER = "model_providers.corp"


@pytest.mark.parametrize(
    "settings",
    [
        {"model_providers": {"corp": {"experimental_bearer_token": "plain"}}},
        {f"{PROVIDER}.experimental_bearer_token": "plain"},
        {f'{PROVIDER}."api_key"': "plain"},
        {f"{PROVIDER}.http_headers": {"X-Corp": "plain"}},
        {f"{PROVIDER}.http_headers.Authorization": "Bearer plain"},
        {f"{PROVIDER}.query_params": {"subscription-key": "plain"}},
        {f"{PROVIDER}.query_params.anything": SECRET},
        {f"{PROVIDER}.base_url": "https://me:pw@models.example/v1"},
        {f"{PROVIDER}.base_url": "https://models.example/v1?api_key=plain"},
        {f"{PROVIDER}.env_key": SECRET},
        {f"{PROVIDER}.env_key": "0123456789abcdefghij0"},
        {"mcp_servers": {"tickets": {"env": {"TICKETS_TOKEN": "plain"}}}},
        {"mcp_servers.tickets.env": {"PLAIN": SECRET}},
        {"mcp_servers.tickets.args": ["--api-key", "plain"]},
        {"mcp_servers.tickets.args": ["--token=plain"]},
        {"mcp_servers.tickets.args": ["-H", "Authorization: Bearer plain"]},
        {"mcp_servers.tickets.url": "https://tickets.example/mcp?token=plain"},
        {"shell_environment_policy": {"set": {"DEPLOY_PASSWORD": "plain"}}},
        {"shell_environment_policy.set.PLAIN": "ghp_0123456789abcdefghijABCDEFGHIJ012345"},
        {"list": [{"deep": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}]},
    ],
)
def test_a_secret_in_a_setting_is_found(settings: dict[str, Any]) -> None:
    assert exposed(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "gpt-5.5-codex-2026-01-31", "model_reasoning_effort": "high"},
        {"model_auto_compact_token_limit": 200_000, "tool_output_token_limit": 1000},
        {"cli_auth_credentials_store": "file", "preferred_auth_method": "apikey"},
        {f"{PROVIDER}.base_url": "https://models.example/v1", f"{PROVIDER}.env_key": "CORP_KEY"},
        {f"{PROVIDER}.env_key_instructions": "Ask for a key on the intranet."},
        {f"{PROVIDER}.env_http_headers": {"X-Api-Key": "CORP_HEADER_KEY"}},
        {f"{PROVIDER}.query_params": {"api-version": "2026-01-31-preview"}},
        {"mcp_servers.tickets.bearer_token_env_var": "TICKETS_TOKEN"},
        {
            "mcp_servers.tickets": {
                "command": "npx",
                "args": ["-y", "tickets"],
                "env_vars": ["HOME"],
            }
        },
        {"shell_environment_policy": {"inherit": "core", "set": {"CI": "1"}}},
        {"sandbox_workspace_write.writable_roots": ["/nix/store/0a1b2c3d4e5f6g7h8i9j-cache"]},
        {"developer_instructions": "Use basic words; a token is a word. Never print a key."},
        {"features.remote": True, "empty": "", "": ""},
    ],
)
def test_what_is_no_secret_is_left_alone(settings: dict[str, Any]) -> None:
    assert exposed(settings) is None


@pytest.mark.parametrize(
    "line",
    [
        f'{PROVIDER}.experimental_bearer_token="plain"',
        f"{PROVIDER}.experimental_bearer_token=plain",
        f'model_providers={{corp={{http_headers={{X="{SECRET}"}}}}}}',
        f"model={SECRET}",
    ],
)
def test_a_secret_of_one_run_is_refused_without_repeating_it(line: str) -> None:
    with pytest.raises(UserError) as refused:
        check([line])
    assert "env_key" in refused.value.recovery
    assert not any(word in repr(refused.value.info) for word in (SECRET, "plain"))


def test_the_variables_that_hold_secrets_are_found() -> None:
    settings = {
        f"{PROVIDER}.env_key": "CORP_KEY",
        "model_providers": {"other": {"env_http_headers": {"X-Key": "OTHER_KEY"}}},
        "mcp_servers.tickets": {"bearer_token_env_var": "TICKETS", "env_vars": ["HOME", "A_TOKEN"]},
    }
    assert variables(settings) == {"CORP_KEY", "OTHER_KEY", "TICKETS", "A_TOKEN"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "fatal: unable to access 'https://me:p@ss@git.example/x': no",
            "fatal: unable to access 'https://***@git.example/x': no",
        ),
        (
            "url: https://token-1@h/v1?a=1&api_key=x, cf-ray",
            "url: https://***@h/v1?a=1&api_key=***",
        ),
        ("Authorization: Basic dXNlcjpwYXNzMQ==", "Authorization: Basic ***"),
        (f"Incorrect API key: {SECRET}.", "Incorrect API key: sk-***."),
        ("HTTP Basic authentication failed for a@b.example", None),
        ("https://example.com/@scope/pkg?page=2", None),
    ],
)
def test_errors_show_no_secret(text: str, shown: str | None) -> None:
    told = user_error("GIT_FAILED", text).info.message
    assert told == (text if shown is None else shown) or (shown and told.startswith(shown))


def test_an_address_is_hidden_also_where_a_part_of_it_is_shown() -> None:
    address = Url.parse("https://user:pass-word@hooks.example/T0k3n-123456/" + "x" * 100)
    for shown in (repr(address), address[:80], pretty_repr(address, max_string=80)):
        assert "pass-word" not in shown
        assert "T0k3n-1" not in shown


def test_a_fault_shows_no_password() -> None:
    error = OSError("no route to https://user:pass-word@proxy.example:80/")
    assert "pass-word" not in error_line(error)


def test_hiding_takes_linear_time() -> None:
    began = time.process_time()
    for part in ("://", "://a", "?key", "?a.key=", "bearer ", "sk-", "basic 1", "&-"):
        hide(part * (1_000_000 // len(part)))
    assert time.process_time() - began < 20
