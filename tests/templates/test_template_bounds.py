"""Templates from anybody that are made to take memory or time."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.templates import loading, template_sources
from engine.templates.rendering import LIMIT_CHARACTERS, TemplateTextError, render


@pytest.mark.parametrize(
    "text",
    [
        "{{ a }}" * 40_000,
        "{{ " + "a ~ " * 60_000 + "a }}",
        "{{ " + "(" * 100_000 + "a",
        "{% if a %}" * 25_000 + "{% endif %}" * 25_000,
        "{{ a" + "|upper" * 40_000 + " }}",
        "{{ " + "not " * 3000 + "a }}",
        "{{ " + "[" * 1500 + "]" * 1500 + " }}",
    ],
    ids=len,
)
def test_a_template_that_takes_too_much_to_compile_is_refused(text: str) -> None:
    with pytest.raises(TemplateTextError, match=r"words and signs|nested too deeply"):
        render(text, {"a": "1"})


@pytest.mark.parametrize("text", ["{{ a }}" * 900, "{{ " + "a ~ " * 900 + "a }}"], ids=len)
def test_values_that_fill_the_memory_are_refused_before_they_are_filled_in(text: str) -> None:
    assert render(text, {"a": "1"}).startswith("1" * 900)
    with pytest.raises(TemplateTextError, match="characters long"):
        render(text, {"a": "x" * LIMIT_CHARACTERS})


def dense(number: int) -> str:
    """Return a template whose texts take about as long to compile as is allowed."""
    lines = [f"{key}: |\n  {number}{key} {{{{ a{' ~ a' * 1900} }}}}" for key in loading.TEXTS]
    return "\n".join(["description: x", "params: {a: {type: text, default: x}}", *lines])


def test_all_templates_of_a_repository_together_are_bounded(tmp_path: Path) -> None:
    folder = tmp_path / ".swarm" / "templates"
    folder.mkdir(parents=True)
    for number in range(100):
        (folder / f"t{number:02}.yaml").write_text(dense(number))
    found = loading.load(template_sources.files(tmp_path / "none", tmp_path))
    problems = [found[f"t{number:02}"].problem for number in range(100)]
    assert problems[0] is None
    assert "together" in str(problems[-1])
    assert sum(problem is None for problem in problems) < 10
    built_in = [found[name] for name in found if not name[1:].isdigit()]
    assert built_in
    assert not any(template.problem for template in built_in)


def test_a_second_list_compiles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ".swarm" / "templates"
    folder.mkdir(parents=True)
    for number in range(20):
        (folder / f"t{number:02}.yaml").write_text(dense(number) + "\nextra: 1\n" * (number % 2))
    first = loading.load(template_sources.files(tmp_path / "none", tmp_path))
    monkeypatch.setattr("engine.templates.loading.yaml_file", None)
    monkeypatch.setattr("engine.templates.loading.rendering", None)
    assert loading.load(template_sources.files(tmp_path / "none", tmp_path)) == first


def test_the_files_of_a_repository_are_bounded_together(tmp_path: Path) -> None:
    folder = tmp_path / ".swarm" / "templates"
    folder.mkdir(parents=True)
    for number in range(9):
        text = f"description: x\nprompt: {number}{'x' * 200_000}\n"
        (folder / f"t{number}.yaml").write_text(text)
    found = loading.load(template_sources.files(tmp_path / "none", tmp_path))
    assert found["t0"].problem is None
    assert "1 MiB" in str(found["t8"].problem)


def test_many_parameters_are_refused(tmp_path: Path) -> None:
    lines = [
        f"  p{n}: {{type: text, check: 'value != {n}'}}" for n in range(loading.PARAMETERS + 1)
    ]
    path = tmp_path / "t.yaml"
    path.write_text("\n".join(["description: x", "prompt: x", "params:", *lines]))
    problem = loading.check_file(template_sources.read_file(path), []).problem
    assert "at most" in str(problem)


@pytest.mark.parametrize("opened", ["{{", "{%", "{% raw", "{{ a "])
def test_a_comment_full_of_openings_is_read_in_linear_time(tmp_path: Path, opened: str) -> None:
    path = tmp_path / "t.yaml"
    comment = opened * (250_000 // len(opened))
    path.write_text(f'description: x\nprompt: x\nverify: "{{{{ a }}}}{{#{comment}#}}"\n{PARAMS}')
    template = loading.check_file(template_sources.read_file(path), [])
    assert template.problem is None
    assert template.verify_names == ["a"]


PARAMS = "params:\n  a: {default: 1}\n  b: {default: 1}\n"
