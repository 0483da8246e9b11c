"""A day's use of the real dashboard in a real repository, with the keys that it shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pseudo import Terminal
from repos import git, repository
from support import script
from typed import Swarm

TO_AGENT, SIMULATED = b"\t\t", b"\x1b[C"
KEYS = {"^s": b"\x13", "enter": b"\r", "esc": b"\x1b", "[d]": b"d"}
WATER = f"Water\n{script('say watering now', 'write water.txt wet')}"
DIG = f"Dig\n{script('attempt 1', 'say no spade', 'hang', 'attempt 2+', 'write bed.txt dug')}"
GROW = f"Grow\n{script('say growing', 'hang')}"


class Day:
    """A user at the dashboard, who knows no key but those on the screen."""

    def __init__(self, garden: Path) -> None:
        self.garden = garden
        self.terminal = Terminal(garden, (), {}, size=(80, 24))
        self.until = self.terminal.until

    def press(self, key: str, word: str) -> None:
        """Press a key once the screen offers it under this word."""
        self.until(f"{key} {word}")
        self.terminal.type(KEYS.get(key, key.encode()))

    def read_log(self, *wanted: str) -> None:
        """Look into the log of the chosen run, and come back to the list."""
        self.until("log    files   [ ]")  # `enter` may review it: it can have ended meanwhile
        self.terminal.type(b"]")
        self.until("enter open", "esc back", *wanted)
        self.terminal.type(KEYS["esc"])
        self.terminal.until_not("esc back")

    def start(self, prompt: str, *, simulated: bool = False) -> None:
        """Start a run with the form; it remembers which agent was wanted."""
        title, last = prompt.splitlines()[0], prompt.splitlines()[-1]
        self.press("n", "new")
        self.until("Describe the task")
        self.terminal.type(prompt.replace("\n", "\r").encode())
        if simulated:
            self.until("[codex]", last)
            self.terminal.type(TO_AGENT + SIMULATED)
        self.until("[simulated]", last)
        self.press("^s", "start")
        self.terminal.until_not("^s start")
        self.until(f"{title} sim", "enter open")


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    opened = Day(repository(tmp_path / "beds"))
    yield opened
    opened.terminal.close()


def test_a_days_use(day: Day, swarm: Swarm) -> None:
    day.start(WATER, simulated=True)
    day.read_log("▪ watering now", "succeeded")
    compare_and_apply(day)
    day.start(DIG)
    cancel_and_retry(day)
    runs = {run["title"]: run for run in swarm("ls", "--json").json}
    delete_and_undo(day, Path(runs["Dig"]["workspace"]["path"]))
    day.start(GROW)
    day.read_log("▪ growing")
    day.press("q", "quit")
    day.until("1 run continues. `swarm-tui` shows it")
    assert day.terminal.end() == 0
    left = {run["title"]: run["status"] for run in swarm("ls", "--json").json}
    assert left == {"Grow": "running", "Dig": "succeeded", "Water": "succeeded"}


def compare_and_apply(day: Day) -> None:
    day.press("D", "review")
    day.until("water.txt", "+ wet")
    day.press("esc", "back")
    day.terminal.until_not("+ wet")
    day.press("esc", "back")
    day.until("enter open")  # esc and a at once would be alt+a
    day.press("a", "apply")
    day.until("1 file: water.txt")
    day.press("^s", "apply")
    day.until("1 file edited in")
    assert (day.garden / "water.txt").read_text() == "wet\n"
    assert git(day.garden, "status", "--porcelain") == "?? water.txt"


def cancel_and_retry(day: Day) -> None:
    day.read_log("▪ no spade")
    day.press("x", "cancel")
    day.until("⊘")
    day.press("r", "retry")
    day.read_log("bed.txt", "succeeded")


def delete_and_undo(day: Day, place: Path) -> None:
    day.press("d", "delete")
    day.until("changes you have not applied")
    day.press("[d]", "Move to the trash anyway")
    day.until("1 workspace moved to the trash")
    assert not place.exists()
    day.press("u", "undo")
    day.until(": the workspace is")
    assert (place / "bed.txt").read_text() == "dug\n"
