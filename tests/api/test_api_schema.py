"""Every operation with generated requests, valid and not: no defect, and answers as described."""

# pyright: basic
# The types of schemathesis are incomplete.

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import schemathesis
from api_server import served
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support import LIMIT_S, played

from engine.config.paths import Paths
from engine.engine import Engine
from tui.cli.api import application

CHECKS = [
    checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
STREAM = "text/event-stream"
NO_CHECKS = cast("list[HealthCheck]", list(HealthCheck))
METHODS = ("get", "put", "post", "delete", "patch", "head")
EXAMPLES = 10
"""Requests of each kind that an operation gets."""
LONGEST = 1000
"""Characters of the generated texts that have a pattern.

Their generator takes 2 kB for each character that a text may have: 200 MB for a commit message.
"""


def _bounded(schema: Any) -> Any:
    """Return the description with short texts wherever they have a pattern."""
    if isinstance(schema, list):
        return [_bounded(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    bounded = {key: _bounded(value) for key, value in schema.items()}
    if isinstance(schema.get("pattern"), str) and "maxLength" in schema:
        bounded["maxLength"] = min(schema["maxLength"], LONGEST)
    return bounded


DOCUMENT = application.document()
BOUNDED = json.dumps(_bounded(DOCUMENT))


def _names() -> list[tuple[str, str]]:
    """Return path and method of all operations but streams, which have tests of their own."""
    return [
        (path, method)
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if method in METHODS and STREAM not in json.dumps(operation)
    ]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("schema")

    async def prepare(engine: Engine) -> None:
        for _ in range(3):
            await played(engine, "write a.txt hello", "say done")

    with served(Paths(folder / "home", folder / "config.yaml"), prepare) as address:
        yield address


@pytest.mark.parametrize(("path", "method"), _names())
def test_operation(path: str, method: str, address: str) -> None:
    # Made here and not kept: the strategies of all operations take some hundred MB.
    operation = schemathesis.openapi.from_dict(json.loads(BOUNDED))[path][method]
    valid = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    invalid = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @settings(max_examples=EXAMPLES, suppress_health_check=NO_CHECKS, database=None)
    @given(case=valid)
    def try_valid(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=address, checks=CHECKS, timeout=LIMIT_S)

    @settings(max_examples=EXAMPLES, suppress_health_check=NO_CHECKS, database=None)
    @given(case=invalid)
    def try_invalid(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=address, checks=CHECKS, timeout=LIMIT_S)

    try_valid()
    has_input = bool(operation.body) or any(operation.iter_parameters())
    if has_input:
        try_invalid()


def _long_texts() -> list[tuple[str, str, str, int]]:
    """Return path, method, field and its limit, of the bodies with texts that are bounded here."""
    named = DOCUMENT["components"]["schemas"]
    found: list[tuple[str, str, str, int]] = []
    for path, method in _names():
        body = json.dumps(DOCUMENT["paths"][path][method].get("requestBody"))
        for name in re.findall(r"#/components/schemas/(\w+)", body):
            for field, schema in named[name].get("properties", {}).items():
                if "pattern" in schema and schema.get("maxLength", 0) > LONGEST:
                    found.append((path, method, field, schema["maxLength"]))
    return found


@pytest.mark.parametrize(("path", "method", "field", "limit"), _long_texts())
def test_text_is_refused_beyond_its_limit(
    path: str, method: str, field: str, limit: int, address: str
) -> None:
    where = address + re.sub(r"{\w+}", "1", path)
    for length, is_refused in ((limit, False), (limit + 1, True)):
        answer = httpx.request(method, where, json={field: "x" * length}, timeout=LIMIT_S)
        assert (f"at most {limit} characters" in answer.text) is is_refused, answer.text
        assert answer.status_code != 500
