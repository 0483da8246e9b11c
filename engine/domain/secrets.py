"""Secrets in texts and in settings: what looks like one, and how a text is shown without it."""

from __future__ import annotations

import re

from engine.domain.late_pattern import LatePattern

HIDDEN = "***"

# Each is anchored at a literal, with bounded runs before it: linear on hostile text.
_IN_TEXT = (
    (LatePattern(r"://[^\s/'\"<>]{0,1000}@"), f"://{HIDDEN}@"),
    (
        LatePattern(
            r"(?i)([?&][\w.-]{0,40}(?:key|token|secret|sig|signature|password|passwd|auth)=)"
            r"[^\s&'\"<>#]+"
        ),
        rf"\1{HIDDEN}",
    ),
    (LatePattern(r"(?i)\b(bearer|basic) (?=\D{0,40}[\d=])[\w+/=.~-]{8,}"), rf"\1 {HIDDEN}"),
    (
        LatePattern(r"\b(sk-|swt_|gh[pousr]_|github_pat_|whsec_|xox[a-z]-)[\w+/=-]{12,}"),
        rf"\1{HIDDEN}",
    ),
)

_SECRET_WORDS = frozenset(
    {
        *("key", "keys", "apikey", "token", "tokens", "secret", "secrets", "signature", "dsn"),
        *("password", "passwd", "passphrase", "passcode", "pwd", "credential", "credentials"),
        *("auth", "authorization", "bearer", "cookie"),
    }
)
_HARMLESS_ENDS = frozenset(
    {
        *("url", "uri", "endpoint", "file", "path", "dir", "store", "method", "limit", "budget"),
        *("mode", "type", "id", "name", "hash"),
    }
)
_VALUE = LatePattern(
    r"\b(?:sk-|swt_|gh[pousr]_|github_pat_|glpat-|whsec_|xox[a-z]-|AKIA|AIza|eyJ)[\w+/=.-]{8,}"
    r"|-----BEGIN|://[^\s/]{1,1000}@|^(?i:bearer|basic|token) +\S+$"
)
_RUN = LatePattern(r"[A-Za-z0-9]{20,}")


def hide(text: str) -> str:
    """Return a text without passwords in addresses, tokens in queries and known kinds of keys."""
    for pattern, shown in _IN_TEXT:
        text = pattern.compiled.sub(shown, text)
    return text


def is_secret_name(name: str) -> bool:
    """Return whether what has this name is most likely a secret: `api_key`, `X-Auth-Token`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name[:200])
    words = [word.lower() for word in re.split(r"[^A-Za-z0-9]+", spaced) if word]
    return bool(words) and words[-1] not in _HARMLESS_ENDS and not _SECRET_WORDS.isdisjoint(words)


def is_secret_value(value: str) -> bool:
    """Return whether a value looks like a key, a token or an address with a password."""
    if _VALUE.compiled.search(value) or hide(value) != value:
        return True
    if value.startswith(("/", "~")):
        return False
    runs = _RUN.compiled.findall(value)
    return any(sum(map(str.isdigit, run)) >= 2 and not run.isdigit() for run in runs)
