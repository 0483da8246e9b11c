"""Access to the API: tokens and their scopes, hosts, origins, rates, sizes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import httpx
import pytest
from litestar import Litestar, get
from litestar.routes import HTTPRoute
from litestar.testing import AsyncTestClient

from engine.config.settings import ApiSettings, Config
from engine.domain.api_token import Scope
from engine.domain.errors import UserError
from engine.engine import Engine
from tui.cli.api import application as application_module
from tui.cli.api import limits
from tui.cli.api.access import MAX_HEADERS, PUBLIC, check_operations, protected
from tui.cli.api.application import application
from tui.cli.api.context import ApiContext
from tui.cli.api.limits import RateLimiter
from tui.cli.api.scopes import SCOPE
from tui.cli.api.streams import OpenStreams

Client = AsyncTestClient[Litestar]
Clients = Callable[[Scope | None], Awaitable[Client]]
UNKNOWN = "/v1/runs/unknown"


def _value_of(parameter: re.Match[str]) -> str:
    """Return a value that fits a parameter of a path."""
    return "1" if parameter[0].endswith((":int}", ":float}")) else "x"


def operations(app: Litestar) -> list[tuple[str, str, Scope]]:
    """Return the method, a path and the scope of every operation."""
    return [
        (method, re.sub(r"\{[^}]*\}", _value_of, route.path), handler.opt[SCOPE])
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if SCOPE in handler.opt
    ]


def is_refused(answer: httpx.Response, status: int, code: str) -> bool:
    """Return whether an answer is this problem, without a secret in it."""
    assert "swt_" not in answer.text
    if answer.request.method == "HEAD":
        return answer.status_code == status
    is_problem = answer.headers["content-type"] == "application/problem+json"
    return is_problem and (answer.status_code, answer.json()["code"]) == (status, code)


async def test_no_operation_is_open_without_a_token(clients: Clients) -> None:
    client = await clients(None)
    for method, path, _ in operations(application(None)):
        answer = await client.request(method, path)
        assert is_refused(answer, 401, "API_TOKEN_INVALID"), (method, path)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for path in ("/nothing", "/v1/nothing", "/docs", "/schema", "//v1/health", "/v1/health/"):
        assert (await client.get(path)).status_code in (401, 200), path


async def test_description_and_health_need_no_token(clients: Clients) -> None:
    client = await clients(None)
    for path in PUBLIC:
        assert (await client.get(path)).status_code == 200
    assert (await client.get("/v1/health")).json()["ok"] is True


@pytest.mark.parametrize("have", list(Scope))
async def test_operations_need_the_scope_they_declare(clients: Clients, have: Scope) -> None:
    client = await clients(have)
    for method, path, needed in operations(application(None)):
        if not have.permits(needed):
            answer = await client.request(method, path)
            assert is_refused(answer, 403, "API_SCOPE_MISSING"), (method, path)
            assert needed.value in answer.json()["detail"]
    assert (await client.get(UNKNOWN)).status_code == 404


async def test_unknown_paths_are_problems_and_no_pages(client: Client) -> None:
    for path in ("/nothing", "/docs", "/schema/swagger", "/v1/nothing"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_operation_without_a_scope_is_refused_at_start() -> None:
    @get("/open")
    async def read_all() -> str:
        return "all"

    with pytest.raises(ValueError, match="/open has no scope"):
        check_operations(Litestar([read_all], openapi_config=None))


async def test_wrong_tokens(clients: Clients) -> None:
    client = await clients(Scope.READ)
    good = client.headers.pop("Authorization")
    secret = good.removeprefix("Bearer ")
    wrong: tuple[str | bytes, ...] = (
        "",
        "Bearer",
        "Bearer ",
        secret,
        f"Basic {secret}",
        f"Bearer {secret[:-1]}",
        f"Bearer {secret}x",
        f"Bearer {secret} {secret}",
        f"Bearer {secret},Bearer {secret}",
        "Bearer \xe9".encode("latin-1"),
        "Bearer swt_",
        "Bearer swt_" + "x" * 10_000,
    )
    for value in wrong:
        answer = await client.get(UNKNOWN, headers={"Authorization": value})
        assert is_refused(answer, 401, "API_TOKEN_INVALID"), value
    twice = [("Authorization", good), ("Authorization", good)]
    assert (await client.get(UNKNOWN, headers=twice)).status_code == 401
    for path in (f"{UNKNOWN}?access_token={secret}", f"{UNKNOWN}?token={secret}"):
        assert (await client.get(path)).status_code == 401
    assert (await client.get(UNKNOWN, headers={"Cookie": f"token={secret}"})).status_code == 401
    assert (
        await client.get(UNKNOWN, headers={"Authorization": f"bearer  {secret}"})
    ).is_client_error


async def test_revoked_token_is_refused_at_once(engine: Engine, clients: Clients) -> None:
    client = await clients(Scope.ADMIN)
    assert (await client.get(UNKNOWN)).status_code == 404
    for token in await engine.api_tokens.all():
        await engine.api_tokens.revoke(token.name)
    assert is_refused(await client.get(UNKNOWN), 401, "API_TOKEN_INVALID")


OURS = ("127.0.0.1", "127.0.0.1:1", "127.8.9.1:65535", "localhost", "LocalHost:80", "[::1]:8765")
FOREIGN = (
    "",
    "evil.test",
    "127.0.0.1.evil.test",
    "localhost.evil.test",
    "localhost.",
    "127.0.0.1.",
    "me@127.0.0.1",
    "127.0.0.1@evil.test",
    "127.0.0.1:80@evil.test",
    "127.0.0.1:",
    "127.0.0.1:x",
    "127.0.0.1:123456",
    "127.0.0.1 evil.test",
    "127.0.0.1,evil.test",
    "127.0.0.1/",
    "[::1",
    "::1",
    "[::2]:80",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",
    "0",
    "2130706433",
    "0x7f.1",
    "testserver.local",
)


async def test_host_names(client: Client) -> None:
    for host in OURS:
        assert (await client.get("/v1/health", headers={"Host": host})).status_code == 200, host
    for host in FOREIGN:
        for path in ("/v1/health", "/openapi.json", UNKNOWN):
            answer = await client.get(path, headers={"Host": host})
            assert is_refused(answer, 403, "API_REQUEST_REFUSED"), host
            assert not host or "evil" not in answer.text
    twice = [("Host", "127.0.0.1"), ("Host", "127.0.0.1")]
    assert (await client.get("/v1/health", headers=twice)).status_code == 403


async def test_configured_host_names(engine: Engine) -> None:
    context = ApiContext(engine)
    app = protected(application(context), context, ["swarm.test", "::2"])
    async with AsyncTestClient(app, base_url="http://127.0.0.1") as client:
        for host, status in (("swarm.test:8765", 200), ("SWARM.test", 200), ("x.swarm.test", 403)):
            assert (await client.get("/v1/health", headers={"Host": host})).status_code == status


async def test_pages_of_other_origins(client: Client) -> None:
    origins = ("http://evil.test", "null", "https://127.0.0.1", "http://127.0.0.1:8000", "", "x")
    for origin in origins:
        answer = await client.get(UNKNOWN, headers={"Origin": origin})
        assert is_refused(answer, 403, "API_REQUEST_REFUSED"), origin
        assert "access-control-allow-origin" not in answer.headers
    for site in ("cross-site", "same-site", "x"):
        assert (await client.get(UNKNOWN, headers={"Sec-Fetch-Site": site})).status_code == 403
    preflight = {"Origin": "http://evil.test", "Access-Control-Request-Method": "POST"}
    assert (await client.options(UNKNOWN, headers=preflight)).status_code == 403
    assert (await client.options(UNKNOWN)).status_code == 400


async def test_answers_set_no_cookie_and_are_not_kept(client: Client) -> None:
    for path in ("/v1/health", UNKNOWN, "/nothing"):
        answer = await client.get(path)
        assert "set-cookie" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]


async def test_sizes_of_requests(client: Client) -> None:
    many = {f"X-{number}": "x" for number in range(MAX_HEADERS)}
    assert (await client.get(UNKNOWN, headers=many)).status_code == 431
    for length in ("99999999999999999999999", str(8 * 1024**2 + 1), "-1", "x"):
        answer = await client.post("/v1/runs", headers={"Content-Length": length}, content=b"x")
        assert answer.status_code == 413, length


async def test_rate_of_a_token_and_of_failures(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ApiSettings(requests_per_minute=3, failures_per_minute=2)
    monkeypatch.setattr(engine._services, "config", Config(api=settings))  # pyright: ignore[reportPrivateUsage]  the limits of this test
    context = ApiContext(engine)
    made = [await engine.api_tokens.create(name, Scope.READ) for name in ("a", "b")]
    first, second = ({"Authorization": f"Bearer {one.secret}"} for one in made)
    app = protected(application(context), context)
    async with AsyncTestClient(app, base_url="http://127.0.0.1") as client:
        statuses = [(await client.get(UNKNOWN)).status_code for _ in range(3)]
        assert statuses == [401, 401, 429]
        statuses = [(await client.get(UNKNOWN, headers=first)).status_code for _ in range(4)]
        assert statuses == [404, 404, 404, 429], "failures of others keep no token out"
        limited = await client.get(UNKNOWN, headers=first)
        assert is_refused(limited, 429, "API_LIMIT_REACHED")
        assert 1 <= int(limited.headers["retry-after"]) <= 20
        assert (await client.get(UNKNOWN, headers=second)).status_code == 404


def test_rate_is_that_of_a_minute_and_comes_back() -> None:
    now = [0.0]
    limiter = RateLimiter(2, lambda: now[0])
    assert [limiter.admit("a"), limiter.admit("a")] == [0, 0]
    assert limiter.admit("a") == pytest.approx(30)
    assert limiter.admit("b") == 0
    now[0] = 30.0
    assert limiter.admit("a") == 0
    assert limiter.admit("a") > 0


def test_rate_limiter_forgets_the_oldest_clients() -> None:
    limiter = RateLimiter(1, lambda: 0.0)
    for number in range(limits.KEYS + 10):
        limiter.admit(str(number))
    assert len(limiter._free_at) == limits.KEYS  # pyright: ignore[reportPrivateUsage]  memory is what is tested


async def test_number_of_streams(engine: Engine) -> None:
    import asyncio

    made = [(await engine.api_tokens.create(name, Scope.READ)).token for name in ("a", "b")]
    streams = OpenStreams(ApiContext(engine), most=3, most_per_token=2)
    tasks = [asyncio.create_task(asyncio.sleep(60)) for _ in range(4)]
    streams.add(made[0], tasks[0])
    streams.add(made[0], tasks[1])
    with pytest.raises(UserError, match="2 streams"):
        streams.add(made[0], tasks[2])
    streams.add(made[1], tasks[2])
    with pytest.raises(UserError, match="3 streams"):
        streams.add(made[1], tasks[3])
    streams.remove(tasks[0])
    streams.add(made[1], tasks[3])
    for task in tasks:
        streams.remove(task)
        task.cancel()


def test_description_states_which_operations_need_no_token() -> None:
    document = application_module.document()
    open_paths = {
        path
        for path, item in document["paths"].items()
        for operation in item.values()
        if operation.get("security") == []
    }
    assert open_paths == {"/v1/health"}
