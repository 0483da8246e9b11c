"""The output of `--json` as a page and as JSON Schema, generated from the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tui.cli import json as shapes

REF = "#/$defs/"
INTRODUCTION = """
With `--json` a command prints only the output described here: one document, or one object a line.
Keys are always present, except those marked *may be absent*; new ones may be added. Times are
UTC, ISO 8601. The same as JSON Schema: [schemas.json](schemas.json).

A command that fails prints an [Error](#error) instead (exit code 3); wrong usage (exit code 2) is
reported on stderr. Exit codes: 0 done (for `run`, `watch`, `wait`, `retry`,
`resume`: all succeeded), 1 a run failed, 124 timed out, 130 cancelled.

Events name their run, not its batch. A script that needs the batch's id starts it with
`batch … --detach --json`, which prints the [Batch](#batch), and follows it with
`watch --batch ID --json`; `batch show ID --json` prints the results.
"""
SCRIPT = """
## A script

Start a run for each task, wait for all, retry those that failed, apply those that succeeded
([examples/swarm.sh](examples/swarm.sh); a test runs it with twenty tasks):

```sh
{script}
```
"""
EXAMPLE = Path(__file__).parent / "examples/swarm.sh"


def schemas() -> str:
    """Return the JSON Schema of all output."""
    documents, lines, defs = _components()
    commands = {name: {"prints": "one document", "schema": one} for name, one in documents.items()}
    commands |= {name: {"prints": "one a line", "schema": one} for name, one in lines.items()}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Output of swarm-tui with --json",
        "commands": commands,
        "$defs": defs,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def page(note: str) -> str:
    """Return the page."""
    documents, lines, defs = _components()
    text = ["# JSON", "", note.rstrip(), INTRODUCTION.rstrip(), "", "## Commands", ""]
    text += ["| command | output |", "|---|---|"]
    for name, schema in documents.items():
        text.append(f"| `{name}` | {_type(schema)} |")
    text += [f"| `{name}` | one {_type(schema)} a line |" for name, schema in lines.items()]
    text += SCRIPT.format(script=EXAMPLE.read_text("utf-8").strip()).rstrip().split("\n")
    text += [
        "",
        "## Event",
        "",
        "One of these, distinguished by `type`; `run` and `seq` identify it.",
        "",
    ]
    text += ["| type | meaning |", "|---|---|"]
    for kind, shape in shapes.EVENTS.items():
        name = shape.__name__.removesuffix("Json")
        text.append(f"| `{kind}` | {_type({'$ref': REF + name})}: {_first(defs[name])} |")
    for name in sorted(defs, key=lambda name: (name.endswith("Event"), name)):
        if name != "Event":
            text += ["", *_section(name, defs[name])]
    return "\n".join(text) + "\n"


def _components() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    named = {**shapes.DOCUMENTS, **shapes.LINES, "": shapes.ErrorJson, "event": shapes.Event}
    found, defs = _published(
        msgspec.json.schema_components(named.values(), ref_template=REF + "{name}")
    )
    schema = dict(zip(named, found, strict=True))
    defs["Event"] = event = schema["event"]
    pick = {name: _with_event(one, event) for name, one in schema.items()}
    documents = {name: pick[name] for name in shapes.DOCUMENTS}
    return documents, {name: pick[name] for name in shapes.LINES}, defs


def _with_event(schema: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that names the union of all events where it has each of them."""
    kinds = schema.get("anyOf", ())
    if not all(kind in kinds for kind in event["anyOf"]):
        return schema
    whole = {"$ref": f"{REF}Event"}
    others = [kind for kind in kinds if kind not in event["anyOf"]]
    return {"anyOf": [whole, *others]} if others else whole


def _published(schemas: Any) -> Any:  # noqa: ANN401  any JSON
    """Return schemas with the public names of their shapes: without the suffix of the classes."""
    return json.loads(re.sub(r"\b([A-Z]\w+)Json\b", r"\1", json.dumps(schemas)))


def _section(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    if "enum" in schema:
        yield ", ".join(f"`{value}`" for value in schema["enum"])
        return
    yield _first(schema)
    yield ""
    yield "| key | type | |"
    yield "|---|---|---|"
    for key, one in schema["properties"].items():
        meaning = one.get("description", "")
        absent = "" if key in schema["required"] else "may be absent"
        yield f"| `{key}` | {_type(one)} | {'; '.join(filter(None, (meaning, absent)))} |"


def _first(schema: dict[str, Any]) -> str:
    """Return the description's first paragraph on one line."""
    return " ".join(schema.get("description", "").split("\n\n")[0].split())


def _type(schema: dict[str, Any]) -> str:
    """Write a type in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REF)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if schema.get("pattern", "").startswith(r"^\d{4}-"):
        return "time"
    return schema.get("type", "anything")
