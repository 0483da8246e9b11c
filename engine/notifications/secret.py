"""The secret of a webhook: read where it is used, kept nowhere."""

from __future__ import annotations

import base64
import binascii
import os
from importlib import import_module
from typing import Any

from engine.config.settings import WebhookSettings
from engine.domain.errors import user_error

PREFIX = "whsec_"
SERVICE = "swarm-tui"
"""Service under which the keyring keeps it, with the hook's name as user."""


def secret_of(hook: WebhookSettings) -> str | None:
    """Return the secret of a hook that has one; raises `UserError`, which does not repeat it."""
    if hook.secret_env:
        return _checked(hook, os.environ.get(hook.secret_env), f"the variable {hook.secret_env}")
    if hook.secret_keyring:
        return _checked(hook, _from_keyring(hook.name), "the system's keyring")
    return None


def _checked(hook: WebhookSettings, secret: str | None, where: str) -> str:
    if not secret:
        raise user_error(
            "WEBHOOK_FAILED",
            f"The secret of the webhook {hook.name} is not in {where}.",
            "It must be there for the process that supervises: set it, then start that again.",
        )
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise user_error(
            "WEBHOOK_FAILED",
            f"The secret of the webhook {hook.name}, from {where}, is not Base64.",
            f"Use `{PREFIX}` and 24 to 64 random bytes in Base64.",
        )
    return secret


def _from_keyring(name: str) -> str | None:
    try:
        keyring: Any = import_module("keyring")  # an extra
        errors: Any = import_module("keyring.errors")
    except ImportError as error:
        raise user_error(
            "WEBHOOK_FAILED",
            "What reads the system's keyring is not installed.",
            "Install this package with its `keyring` extra, or use `secret_env`.",
        ) from error
    try:
        return keyring.get_password(SERVICE, name)
    except errors.KeyringError as error:
        raise user_error(
            "WEBHOOK_FAILED",
            "The system's keyring cannot be read.",
            "Unlock it, or use `secret_env`.",
        ) from error
