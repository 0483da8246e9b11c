"""Every operation with generated requests, valid and not: no defect, and answers as described."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

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
from support import played

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


METHODS = ("get", "put", "post", "delete", "patch", "head")


def _names() -> list[tuple[str, str]]:
    """Return path and method of all operations but streams, which have tests of their own."""
    return [
        (path, method)
        for path, item in application.document()["paths"].items()
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
    operation = schemathesis.openapi.from_dict(application.document())[path][method]
    valid = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    invalid = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @settings(max_examples=15, suppress_health_check=list(HealthCheck), database=None)
    @given(case=valid)
    def try_valid(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=address, checks=CHECKS)

    @settings(max_examples=15, suppress_health_check=list(HealthCheck), database=None)
    @given(case=invalid)
    def try_invalid(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=address, checks=CHECKS)

    try_valid()
    has_input = bool(operation.body) or any(operation.iter_parameters())
    if has_input:
        try_invalid()
