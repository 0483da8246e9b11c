"""Webhooks by the Standard Webhooks rules (standardwebhooks.com).

httpx2, of the clients on PyPI: kept up, asynchronous, with limits for each phase, 2 MB and 70 ms to
import (aiohttp: 8 MB, 300 ms). The standard library's would need a thread for each send, which
could not be stopped. It is imported, with `standardwebhooks`, when there is something to send.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import re
import ssl
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from engine.config.settings import WebhookSettings
from engine.domain.errors import UserError
from engine.domain.messages import TOPICS, DeliveryResult
from engine.domain.secrets import HIDDEN, hide
from engine.domain.text import one_line
from engine.notifications.receiver import DeliveryOutcome
from engine.notifications.secret import PREFIX, secret_of

if TYPE_CHECKING:
    import httpx2

CONNECT_S = 5.0
READ_S = 10.0
WHOLE_S = 20.0
"""A receiver that sends a byte now and then reaches neither of the others."""
REPLY_BYTES = 2048
REPLY_CHARACTERS = 160
AGENT = "swarm-tui"
_WORDS = re.compile(r"[A-Za-z_.,:;!'* -]*")
_ENCODED = re.compile(r"[a-z][A-Z]")
"""An answer of plain words is shown where the address holds a secret: none can be encoded there."""


class WebhookReceiver:
    """One webhook of the settings."""

    is_for_people = False

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self.name = str(settings.name)
        self.shown = settings.url.shown
        self.topics = tuple(map(str, settings.events or TOPICS))
        self._client: httpx2.AsyncClient | None = None

    async def send(self, message: str, payload: str) -> DeliveryOutcome:
        """Post a signed payload and read the beginning of the answer."""
        began = time.monotonic()
        try:
            secret = await asyncio.to_thread(secret_of, self._settings)
            headers = await asyncio.to_thread(_headers, secret, message, payload)
        except UserError as error:
            return DeliveryOutcome(
                DeliveryResult(error.message.rstrip(".")), way_out=error.recovery
            )
        try:
            self._client = self._client or await asyncio.to_thread(_client)
            async with asyncio.timeout(WHOLE_S):
                outcome = await self._post(headers, payload, secret or "")
        except TimeoutError:
            outcome = _no_answer(WHOLE_S)
        except ValueError:  # its text repeats the address of a proxy
            outcome = DeliveryOutcome(
                DeliveryResult("not sent: a proxy is named in a way that cannot be used")
            )
        answer = replace(outcome.answer, took_s=round(time.monotonic() - began, 3))
        return replace(outcome, answer=answer)

    async def close(self) -> None:
        """Close what is open."""
        if self._client:
            await self._client.aclose()
            self._client = None

    async def _post(self, headers: Mapping[str, str], payload: str, secret: str) -> DeliveryOutcome:
        import httpx2

        assert self._client
        url, content = str(self._settings.url), payload.encode()
        try:
            async with self._client.stream("POST", url, content=content, headers=headers) as reply:
                said = self._shown(await _beginning(reply), secret)
                return _outcome(reply.status_code, reply.headers, said)
        except httpx2.ConnectTimeout:
            return DeliveryOutcome(DeliveryResult(f"could not connect within {CONNECT_S:g} s"))
        except httpx2.TimeoutException:
            return _no_answer(READ_S)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return DeliveryOutcome(DeliveryResult(self._settings.url.hide(_cause(error))))

    def _shown(self, body: str, secret: str) -> str:
        """Return what may be seen of an answer; receivers repeat what they get, also encoded.

        Where the address has a password, that is nothing, because the password may be any word.
        """
        url = self._settings.url
        if url.has_user:
            return ""
        for word in _forms(secret):
            body = body.replace(word, HIDDEN)
        body = one_line(hide(url.hide(body)), REPLY_CHARACTERS)
        is_plain = _WORDS.fullmatch(body) and not _ENCODED.search(body)
        return body if is_plain or not url.holds_secret else ""


def _headers(secret: str | None, message: str, payload: str) -> dict[str, str]:
    """Make the headers; with a secret, they are signed with this moment in them."""
    now = datetime.now(UTC)
    headers = {
        "content-type": "application/json",
        "user-agent": AGENT,
        "accept-encoding": "identity",
        "webhook-id": message,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if secret:
        from standardwebhooks import Webhook as Signer

        headers["webhook-signature"] = Signer(secret).sign(message, now, payload)
    return headers


def _forms(secret: str) -> list[str]:
    """Return the ways in which a secret may stand in an answer, the longest first."""
    bare = secret.removeprefix(PREFIX)
    words = {secret, bare, bare.rstrip("=")}
    for data in (secret.encode(), bare.encode(), base64.b64decode(bare)):
        words |= {base64.b64encode(data).decode(), data.hex(), data.decode("latin-1")}
    return sorted(filter(None, words), key=len, reverse=True)


def _client() -> httpx2.AsyncClient:
    """Make a client; the import and the system's certificates take a while."""
    import httpx2

    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # it would write addresses down
    return httpx2.AsyncClient(
        follow_redirects=False,
        timeout=httpx2.Timeout(READ_S, connect=CONNECT_S),
        # Each message by a connection of its own: none fails because an old one had been closed.
        limits=httpx2.Limits(max_keepalive_connections=0),
    )


async def _beginning(reply: httpx2.Response) -> str:
    """Read the beginning of a body, however long it is; the rest is never fetched."""
    read = b""
    chunks: AsyncGenerator[bytes] = reply.aiter_raw()  # pyright: ignore[reportAssignmentType]  the library's type is wider
    async with aclosing(chunks):
        async for chunk in chunks:
            read += chunk[: REPLY_BYTES - len(read)]
            if len(read) >= REPLY_BYTES:
                break
    return read.decode("utf-8", "replace")


def _outcome(code: int, headers: Mapping[str, str], body: str) -> DeliveryOutcome:
    try:
        words = f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        words = str(code)
    if 300 <= code < 400:
        return DeliveryOutcome(DeliveryResult(f"{words}: a redirect, which is not followed", code))
    answer = DeliveryResult(f"{words}: {body}" if body else words, code)
    if 200 <= code < 300:
        return DeliveryOutcome(answer, is_taken=True)
    wait = headers.get("retry-after", "")
    wait_s = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 7 else 0.0
    return DeliveryOutcome(answer, is_gone=code == HTTPStatus.GONE, wait_s=wait_s)


def _no_answer(limit_s: float) -> DeliveryOutcome:
    return DeliveryOutcome(DeliveryResult(f"no answer within {limit_s:g} s"))


def _cause(error: BaseException) -> str:
    """Return the reason why a message was not sent, from the innermost error."""
    found: BaseException | None = error
    while found:
        if isinstance(found, ssl.SSLError):
            why = getattr(found, "verify_message", "") or found.reason
            return f"no trusted connection: {one_line(why or str(found))}"
        if isinstance(found, OSError) and found.strerror:
            # asyncio's own words repeat the address; where no name was found, there is no number.
            number = found.errno or 0
            why = os.strerror(number) if number > 0 else found.strerror
            return f"could not connect: {one_line(why)}"
        found = found.__cause__ or found.__context__
    return f"could not connect: {one_line(str(error)) or type(error).__name__}"
