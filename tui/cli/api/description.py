"""The OpenAPI document of the API, made from the operations and the shapes of `--json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, License, SecurityScheme, Server, Tag

from tui.cli.api.problems import MEDIA_TYPE, ProblemJson
from tui.cli.json.base import Shape

PATH = "/openapi.json"
TOKEN = "token"
EXAMPLES = Path(__file__).with_name("examples.json")
"""Examples of the shapes by name, recorded by `make docs` from a home with simulated runs."""
TAGS = {
    "runs": "Start runs, list them, and act on them.",
    "events": "Events of runs, as pages and as streams.",
    "files": "Files of workspaces, and files saved by runs.",
    "changes": "Changes of runs: diff, apply, push, update, restore.",
    "batches": "Runs started together.",
    "inbox": "Requests of agents, and the rules that answer them.",
    "templates": "Templates of runs.",
    "patterns": "Patterns of earlier work.",
    "queue": "The queue and its slots.",
    "usage": "Tokens, estimated cost and rate limits.",
    "cluster": "Other machines on which runs work.",
    "disk": "Disk usage, cleanup and the trash.",
    "home": "This machine: health, diagnosis, settings, notifications.",
}
INTRODUCTION = """\
Run a swarm of Codex agents over HTTP. Objects are those that the command line prints with `--json`.

Each request needs a token: `Authorization: Bearer …`. A token has a scope: `read`, `run` (start,
end and answer runs) or `admin` (change repositories, disk and settings); each has those before it.
Errors are problem details (RFC 9457) with `code` and `recovery`.
"""
_SCHEMAS = "#/components/schemas/"
_RESPONSES = "#/components/responses/"
_METHODS = ("get", "head", "put", "post", "delete", "patch")
_ERRORS = {
    "400": "The request is invalid.",
    "401": "The token is missing or invalid.",
    "403": "The token does not permit it.",
    "404": "It does not exist.",
    "409": "The present state does not permit it.",
    "422": "The `Idempotency-Key` belongs to another request.",
    "429": "Too many requests.",
}


class DescriptionPlugin(JsonRenderPlugin):
    """The document at its path, as `document` completes it."""

    def __init__(self, scopes: Mapping[str, str]) -> None:
        super().__init__(path=PATH)
        self._scopes = scopes
        self._text = b""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the document; it is completed once."""
        del request
        self._text = self._text or json.dumps(complete(openapi_schema, self._scopes)).encode()
        return self._text


def openapi_config(scopes: Mapping[str, str]) -> OpenAPIConfig:
    """Return the settings of the framework for the document; no page of its own is served.

    `scopes` has the scope of each operation by its id.
    """
    scheme = SecurityScheme(
        type="http", scheme="bearer", description="A token of `swarm-tui api token create`."
    )
    return OpenAPIConfig(
        title="swarm-tui",
        version=version("swarm-tui"),
        description=INTRODUCTION,
        license=License("MIT", identifier="MIT"),
        servers=[Server("/")],
        tags=[Tag(name, text) for name, text in TAGS.items()],
        components=Components(security_schemes={TOKEN: scheme}),
        security=[{TOKEN: []}],
        use_handler_docstrings=True,
        render_plugins=[DescriptionPlugin(scopes)],
        openapi_router=Router("/", route_handlers=[], include_in_schema=False),
    )


def complete(document: dict[str, Any], scopes: Mapping[str, str]) -> dict[str, Any]:
    """Return the framework's document with public names, scopes, errors and examples."""
    found = deepcopy(document)
    for operation in operations(found):
        _complete_operation(operation, scopes)
    problems = {status: _problem_answer(text) for status, text in _ERRORS.items()}
    found["components"]["responses"] = problems
    schemas = found["components"]["schemas"]
    schemas[ProblemJson.__name__] = _problem_schema()
    shapes = [shape for shape in _shapes(Shape) if shape.__name__ in schemas]
    names = {shape.__name__ for shape in shapes}
    if any(f"{name}Json" in names for name in names):
        raise ValueError("two shapes have the same public name")
    for shape in shapes:
        schemas[shape.__name__].setdefault("description", shape.__doc__)
    for name, example in json.loads(EXAMPLES.read_text("utf-8")).items():
        if name in schemas:
            schemas[name]["examples"] = [example]
    text = json.dumps(found).replace('"oneOf"', '"anyOf"')  # 1 is an integer, and a number
    return json.loads(re.sub(r"\b([A-Z]\w+)Json\b", r"\1", text))


def _may_be_empty(body: dict[str, Any] | None) -> bool:
    """Return whether a request body may be left out."""
    content = body["content"].values() if body else ()
    return any({"type": "null"} in each["schema"].get("oneOf", ()) for each in content)


def _complete_operation(operation: dict[str, Any], scopes: Mapping[str, str]) -> None:
    answers = operation["responses"]
    answers.pop("400", None)
    answers |= {status: {"$ref": f"{_RESPONSES}{status}"} for status in _ERRORS}
    operation.pop("deprecated", None)
    if _may_be_empty(operation.get("requestBody")):
        operation["requestBody"]["required"] = False
    if scope := scopes.get(operation["operationId"]):
        operation["x-scope"] = scope
    else:
        operation["security"] = []  # it needs no token


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the operations of a document."""
    for item in document["paths"].values():
        yield from (item[method] for method in _METHODS if method in item)


def _shapes(base: type[Shape]) -> Iterator[type[Shape]]:
    """Yield all shapes that are known by now."""
    for shape in base.__subclasses__():
        yield shape
        yield from _shapes(shape)


def _problem_answer(text: str) -> dict[str, Any]:
    schema = {"$ref": _SCHEMAS + ProblemJson.__name__}
    return {"description": text, "content": {MEDIA_TYPE: {"schema": schema}}}


def _problem_schema() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(
        [ProblemJson], ref_template="#/components/schemas/{name}"
    )
    return schemas[ProblemJson.__name__]
