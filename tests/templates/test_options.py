"""The options of a run: one table, from which flags, fields, keys and columns are made."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from engine.batches import planning as orders
from engine.batches.request import BatchRequest
from engine.config.run_options import COLUMNS, FILE_OPTIONS, RUN_OPTIONS
from engine.domain.errors import UserError
from engine.domain.model import RunSpec, WorkspaceKind, WorkspaceSpec
from engine.domain.run_option import WORKSPACE, value_of
from engine.execution import attachments
from engine.templates import loading, template_sources
from tui.cli.commands.batch import start
from tui.cli.commands.run import run
from tui.models.fields import FIELDS

WORKTREE = WorkspaceSpec(WorkspaceKind.WORKTREE, "/somewhere")
SPEC = RunSpec(prompt="", title="", project="garden", workspace=WORKTREE)
KEYS = """base: release
fetch: true
cwd: packages/api
env: {CI: "1"}
output_schema: answer.json
images: [shots/a.png, /b.png, ~nosuchuser/c.png]
add_dirs: [../other]
"""


def test_each_option_sets_a_field_and_has_its_flag() -> None:
    known = {each.name for each in fields(RunSpec)}
    known |= {f"{WORKSPACE}{each.name}" for each in fields(WorkspaceSpec)}
    assert {option.sets for option in RUN_OPTIONS} <= known
    for command in (run, start):
        flags = {flag for parameter in command.params for flag in parameter.opts}
        assert {option.flag for option in RUN_OPTIONS} <= flags
    for name in ("base", "fetch", "cwd", "env", "output-schema", "image", "add-dir"):
        assert name in {field.name for field in FIELDS}


def test_a_template_sets_all_its_options(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(f"description: d\nprompt: hi\n{KEYS}")
    known = loading.load(template_sources.files(tmp_path, None))
    spec = loading.fill(loading.find(known, "all"), {}).over(SPEC, ())
    assert (spec.workspace.base, spec.workspace.fetch) == ("release", True)
    assert (spec.workspace.cwd, spec.env) == ("packages/api", {"CI": "1"})
    assert spec.schema_file == str(tmp_path / "answer.json")
    assert spec.images[:2] == (str(tmp_path / "shots" / "a.png"), "/b.png")
    assert spec.images[2].endswith("~nosuchuser/c.png")
    assert spec.add_dirs == (f"{tmp_path}/../other",)
    own = loading.fill(loading.find(known, "all"), {}).over(
        RunSpec("", "", "", workspace=WorkspaceSpec(WorkspaceKind.WORKTREE, "/x", base="abc")),
        {"workspace.base", "images"},
    )
    # What is said comes first; a base that is said may be a commit, which cannot be fetched.
    assert (own.workspace.base, own.workspace.fetch, own.images) == ("abc", False, ())


def test_paths_are_those_of_the_file_that_names_them(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    (root / ".swarm" / "templates").mkdir(parents=True)
    (tmp_path / "below.yaml").write_text("description: d\nprompt: hi\noutput_schema: a.json\n")
    above = root / ".swarm" / "templates" / "above.yaml"
    above.write_text("extends: below\nimages: [b.png]\n")
    known = loading.load(template_sources.files(tmp_path, root))
    spec = loading.fill(loading.find(known, "above"), {}).over(SPEC, ())
    assert spec.schema_file == str(tmp_path / "a.json")
    assert spec.images == (str(above.parent / "b.png"),)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("base: a..b", "no commit"),
        ("fetch: often", "true or false"),
        ("env: {1a: b}", "letters, digits"),
        ('images: [""]', "empty"),
        ('output_schema: "a\\0b"', "NUL"),
        ("add_dirs: here", "a list"),
    ],
)
def test_what_cannot_be_is_named_with_its_line(tmp_path: Path, key: str, said: str) -> None:
    (tmp_path / "odd.yaml").write_text(f"description: d\nprompt: hi\n{key}\n")
    problem = loading.load(template_sources.files(tmp_path, None))["odd"].problem
    assert problem and "odd.yaml:3: " in problem.message and said in problem.message
    flow = tmp_path / "flow.yaml"
    flow.write_text(f"steps:\n  - name: one\n    prompt: hi\n    {key}\n")
    with pytest.raises(UserError, match=said) as raised:
        orders.read(flow)
    assert "flow.yaml:" in raised.value.message


def test_steps_have_the_same_keys(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    keys = "".join(f"    {line}\n" for line in KEYS.splitlines())
    file.write_text(f"steps:\n  - name: one\n    prompt: hi\n{keys}")
    flow, listed = orders.read(file)
    (planned,) = orders.planned(BatchRequest(SPEC), {}, listed, flow)
    assert planned.spec.workspace == WorkspaceSpec(
        WorkspaceKind.WORKTREE, "/somewhere", base="release", fetch=True, cwd="packages/api"
    )
    assert planned.spec.schema_file == str(tmp_path / "answer.json")
    file.write_text("steps: [{name: a, prompt: b}, {name: c, prompt: d, from: a, base: main}]")
    with pytest.raises(UserError, match="`base` goes with a worktree"):
        orders.read(file)


def test_columns_set_options_of_their_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "rows.csv"
    file.write_text("base,images,output_schema,cwd\nmain,'a b.png' c.png,s.json,src\ndev,,,\n")
    flow, listed = orders.read(file)
    first, second = (each.spec for each in orders.planned(BatchRequest(SPEC), {}, listed, flow))
    assert first.images == (str(tmp_path / "a b.png"), str(tmp_path / "c.png"))
    assert (first.workspace.base, first.workspace.cwd) == ("main", "src")
    assert first.schema_file == str(tmp_path / "s.json")
    assert second.workspace.base == "dev"
    empty = {option.sets for option in COLUMNS} - {"workspace.base"}
    assert {
        option.sets: value_of(second, option) for option in COLUMNS if option.sets in empty
    } == {option.sets: value_of(SPEC, option) for option in COLUMNS if option.sets in empty}
    file.write_text('images\n"\'a"\n')
    flow, listed = orders.read(file)
    with pytest.raises(UserError, match=r"rows.csv:2.*a quote has no end"):
        orders.planned(BatchRequest(SPEC), {}, listed, flow)


def test_files_are_read_before_a_run_is_queued(tmp_path: Path) -> None:
    schema, image = tmp_path / "s.json", tmp_path / "a.png"
    schema.write_text('{"type": "object"}')
    image.write_bytes(b"png")
    (tmp_path / "link").symlink_to(tmp_path)
    wish = RunSpec(
        "x",
        "x",
        "p",
        schema_file=str(schema),
        images=(str(tmp_path / "link" / "a.png"),),
        add_dirs=(f"{tmp_path}/link/../{tmp_path.name}",),
    )
    done = attachments.checked(wish)
    assert (done.output_schema, done.schema_file) == ('{"type": "object"}', None)
    assert (done.images, done.add_dirs) == ((str(image),), (str(tmp_path),))
    for odd, said in (
        ({"schema_file": str(image)}, "not a JSON schema"),
        ({"schema_file": "/dev/zero"}, "Not a regular file"),
        ({"images": (str(tmp_path),)}, "Not a regular file"),
        ({"images": ("/nowhere\x1b",)}, r"/nowhere\\x1b does not exist"),
        ({"images": ("a\0b",)}, "NUL"),
        ({"add_dirs": (str(image),)}, "is not a folder"),
    ):
        with pytest.raises(UserError, match=said):
            attachments.checked(RunSpec("x", "x", "p", **odd))  # type: ignore[arg-type]  # any of them


def test_every_key_is_one_of_the_table() -> None:
    from engine.templates.template import KEYS, TemplateFile

    more = set(KEYS.__struct_fields__) - set(TemplateFile.__struct_fields__)
    assert more == {option.key for option in FILE_OPTIONS}
