"""Text of agents and files on a terminal, in completion and in reports is data."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pseudo import Terminal
from typed import ROOT

from engine.domain.batch_json import _cell  # pyright: ignore[reportPrivateUsage]  the test looks inside
from engine.domain.csv_text import as_text
from engine.domain.text import escaped, visible
from tui.cli.support.completion import _quoted_for_bash  # pyright: ignore[reportPrivateUsage]  the test looks inside

NAMES = (
    "a b",
    "$(touch owned)",
    "`touch owned`",
    ";touch owned;",
    "&touch owned&",
    "|touch owned",
    "a'b",
    'a"b',
    "a\\b",
    "~root",
    "!!",
    "#x",
    "*",
    "{a,b}",
    "<x>",
    "(x)",
    "-rf",
    "größe",
    "=ls",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_bash_takes_a_completed_name_for_one_word(tmp_path: Path, name: str, quote: str) -> None:
    line = f"printf -- %s {_quoted_for_bash(name, quote)}{quote}"
    if quote == '"':
        line = line.replace("\\!", "!")  # only an interactive bash removes that backslash
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, check=False)
    assert done.stdout.decode() == name
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_completion_offers_no_name_that_breaks_its_line(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    from click.shell_completion import CompletionItem

    from tui.cli.support import completion

    items = ["plain", "two\nlines", "tab\tbed", "esc\x1b[31m", "zero\u200bwidth", "\udcff"]
    monkeypatch.setenv("COMP_LINE", "swarm-tui x ")
    shell = completion.BashCompletion(completion.completion, {}, "swarm-tui", "_X")
    monkeypatch.setattr(shell, "get_completions", lambda *_: [CompletionItem(it) for it in items])
    assert completion._answer(shell) == "plain\tplain\t"  # pyright: ignore[reportPrivateUsage]  the test looks inside


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "a;=1+1", "a\t@x", 'a",=1', "x|-2+3", " \uff1d1", "a, +1", "'=1", "a\n=1"],
)
def test_no_separator_makes_a_formula_of_a_report(cell: str) -> None:
    marked = as_text(cell)
    for separator in ',;\t|"\n':
        for part in marked.split(separator):
            assert part.strip().strip("'\"")[:1] not in "=+-@\uff1d" or "'" in part[:2], marked


@pytest.mark.parametrize("hidden", ["\u200b", "\ufeff", "\x1b[0m", "\u17b4", "\x1b]0;x\x07"])
def test_no_invisible_character_hides_a_formula(hidden: str) -> None:
    for cell in (f"{hidden}=1+1", f"a;{hidden}@x", f"={hidden}1"):
        marked = as_text(cell)
        assert visible(marked) == marked  # as the command line prints it
        assert "'" in marked or "\ufffd" in marked


@pytest.mark.parametrize("number", ["-5", "+3", "12.5", "-0.1"])
def test_numbers_of_a_report_stay_numbers(number: str) -> None:
    assert as_text(number) == number


@pytest.mark.parametrize(
    "cell",
    [
        "![x](http://e/x.png)",
        "[x](http://e)",
        "http://e.example",
        "www.e.example",
        "a@e.example",
        "mailto:a@e.example",
        "<img src=x>",
        "a|b",
        "`x`",
        "[x]: http://e",
        "&lt;img&gt;",
    ],
)
def test_markdown_of_a_report_links_and_loads_nothing(cell: str) -> None:
    from markdown_it import MarkdownIt

    page = MarkdownIt("gfm-like").render(f"| head |\n|---|\n| {_cell(cell)} |\n")
    assert "<a " not in page
    assert "<img" not in page
    assert page.count("<td>") == 1


def test_invisible_characters_are_removed_from_sentences_and_shown_in_content() -> None:
    for char in "\u00ad\u034f\u115f\u200b\u200c\u200d\u2060\u3164\ufe0f\ufeff\U000e0101":
        assert char not in visible(f"a{char}b")
        assert char not in escaped(f"a{char}b")
        assert "\\" in escaped(f"a{char}b")


def test_content_on_a_terminal_is_escaped(here: Path) -> None:
    code = (
        "from tui.cli.support import output; output.prepare();"
        r"output.say_content(b'\x1b]52;c;aGVsbG8=\x07\x1b[31mred\xc2\x9b2J\xe2\x80\x8bz\xff\n')"
    )
    opened = Terminal(here, ["-c", code], {"PYTHONPATH": str(ROOT)}, command=[sys.executable])
    try:
        assert opened.end() == 0
    finally:
        opened.close()
    assert b"\x1b]52" not in opened.raw
    assert b"\\x1b]52;c;aGVsbG8=\\x07\\x1b[31mred\\x9b2J\\u200bz\\xff" in opened.raw
