"""A fault of the dashboard itself: one message, the terminal as before, the runs go on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from pseudo import Terminal
from typed import Swarm

ROOT = Path(__file__).parents[2]
PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from {{module}} import {{owner}} as owner
def fail(*_, **__): raise ValueError("broken for the test")
owner.{{name}} = fail
from swarm_tui import main
sys.exit(main())
"""
CORE = [
    ("tui.terminal.handover_driver", "HandoverDriver", "start_application_mode"),
    ("tui.terminal.handover_driver", "HandoverDriver", "write"),
    ("tui.app", "SwarmApp", "on_mount"),
    ("tui.app", "SwarmApp", "get_css_variables"),
]


@pytest.mark.parametrize(("module", "owner", "name"), CORE)
def test_a_dashboard_that_cannot_go_on_ends_with_one_message(
    here: Path, swarm: Swarm, module: str, owner: str, name: str
) -> None:
    swarm("run", "--empty", "--agent", "simulated", "--detach", "sim: hang")
    code = PROGRAM.format(module=module, owner=owner, name=name)
    shown = Terminal(here, (), dict(os.environ), [sys.executable, "-c", code])
    try:
        assert shown.end() in (1, 3)
        text = " ".join(shown.text.split())
    finally:
        shown.close()
    assert "ValueError: broken for the test" in text
    assert "Traceback" not in text
    assert "\x1b[?1049l" in shown.raw.decode()  # the terminal is as before
    (run,) = swarm("ls", "--json").json
    assert run["status"] in ("queued", "preparing", "running")
    swarm("cancel", "--all", "--kill")
