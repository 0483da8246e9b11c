"""JSON of answers: the bytes that the command prints, whatever texts are in them."""

from __future__ import annotations

import json

import pytest
from support import HOSTILE

from tui.cli.api.encoding import to_json
from tui.cli.json import ErrorJson
from tui.cli.json.base import ErrorInfoJson


@pytest.mark.parametrize("text", HOSTILE[:-1])
def test_any_text_is_encoded_as_the_command_prints_it(text: str) -> None:
    printed = json.dumps({"text": text}, separators=(",", ":")).encode("ascii")
    assert to_json({"text": text}) == printed


def test_shapes_are_encoded_by_their_keys() -> None:
    shape = ErrorJson(ErrorInfoJson("INTERNAL", "caf\udce9", "", "https://localhost"))
    assert json.loads(to_json([shape]))[0]["error"]["message"] == "caf\udce9"
