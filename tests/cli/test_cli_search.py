"""The history searched from the command line."""

from __future__ import annotations

import msgspec
from typed import Swarm

from tui.cli import json


def test_words_phrases_and_what_is_left_out(swarm: Swarm, simulated: Swarm) -> None:
    assert swarm("search", "oak").out == ""
    simulated("sim: say the tall oak\nsim: command 'cat trees' takes=0 output='oak and elm'")
    simulated("sim: say an elm, tall\nsim: fail", "--project", "wood")
    found = swarm("search", "--json", "tall").json
    msgspec.convert(found, json.FoundJson)
    assert [hit["what"] for hit in found["hits"]] == ["prompt", "message", "prompt"]
    assert found["behind"] == 0 and not found["more"]
    (phrase,) = swarm("search", "--json", "the tall", "--limit", "1").json["hits"]
    assert [phrase["text"][a:b] for a, b in phrase["marks"]] == ["the tall"]
    lines = swarm("search", "elm", "oak", "--project", "garden").out.splitlines()
    assert [line.split()[3] for line in lines] == ["command", "prompt"]
    assert lines[0].endswith("oak and elm")
    assert swarm("search", "an elm*", "--status", "failed").out.count("\n") == 1
    assert swarm("search", "an elm*", "--status", "succeeded").out == ""
    refused = swarm("search", "--", "-*")
    assert refused.code == 3 and "INPUT_INVALID" in refused.err
