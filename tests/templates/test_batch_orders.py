"""What a batch is made of: files from anybody, a matrix, flows; nothing here starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.batches import planning as orders
from engine.batches import rows
from engine.batches.matrix import read_matrix
from engine.batches.request import BatchRequest
from engine.domain.batch import PlannedRun
from engine.domain.errors import UserError
from engine.domain.model import RunSpec, WorkspaceKind
from engine.templates import loading, template_sources

SPEC = RunSpec(prompt="", title="", project="garden")


def plan(order: BatchRequest) -> list[PlannedRun]:
    flow, listed = orders.read(order.file) if order.file else (None, [])
    known = loading.load(template_sources.files(Path("/nowhere"), None))
    return orders.planned(order, known, listed, flow)


def asked(prompt: str = "", **more: object) -> BatchRequest:
    return BatchRequest(RunSpec(prompt=prompt, title=prompt, project="garden"), **more)  # type: ignore  options of the test by name


def refused(order: BatchRequest) -> str:
    with pytest.raises(UserError) as caught:
        plan(order)
    return caught.value.message


def test_rows_times_matrix_times_copies(tmp_path: Path) -> None:
    file = tmp_path / "cities.csv"
    file.write_text('city,title\nRome,\n"Paris, France",The capital\n', "utf-8")
    order = asked("Map {{ city }} in {{ style }}", file=file, count=2)
    order = BatchRequest(
        order.spec, file=file, matrix=read_matrix(["style=oil,ink", "model=a"]), count=2
    )
    found = [each.spec for each in plan(order)]
    assert len(found) == 8
    assert found[0].prompt == "Map Rome in oil"
    assert [spec.title for spec in found[:3]] == [
        "city=Rome, style=oil #1 · Map Rome in oil",
        "city=Rome, style=oil #2 · Map Rome in oil",
        "city=Rome, style=ink #1 · Map Rome in ink",
    ]
    assert found[-1].title == "city=Paris, France, style=ink #2 · The capital"
    assert found[-1].given == {"city": "Paris, France", "style": "ink", "model": "a"}
    assert {spec.model for spec in found} == {"a"}
    assert read_matrix([r"name=a\,b,c"]) == {"name": ("a,b", "c")}


def test_what_differs_comes_first_and_titles_that_were_given_stay(tmp_path: Path) -> None:
    long = "Fix the flaky test of the parser that fails once in a while, and say why it did"
    titles = [each.spec.title for each in plan(asked(long, count=3))]
    assert titles[2].startswith("#3 · Fix the flaky test")
    order = asked(f"{long}, {{{{ n }}}}", matrix=read_matrix(["n=9,10", "same=x"]), count=3)
    assert plan(order)[5].spec.title.startswith("n=10 #3 · Fix the flaky test")
    order = BatchRequest(order.spec, frozenset({"title"}), matrix=order.matrix)
    order = BatchRequest(
        RunSpec("x {{ n }}", "Try {{ n }}", "p"), order.said, matrix=order.matrix, count=2
    )
    assert plan(order)[3].spec.title == "Try 10 #2"
    assert plan(asked("just this"))[0].spec.title == "just this"


def test_a_placeholder_that_nothing_fills_is_refused_and_code_is_not() -> None:
    for prompt in ("say {{ n }}", "say {{n|upper}}", "{% raw %}a{% endraw %} {{ n }}"):
        assert refused(asked(prompt, count=2)) == "the prompt: there is no parameter `n`."
    for prompt in ("${{ matrix.os }} {#if x} {% for", "{{ ", "a {{}} b", 'f"{{{x}}}"'):
        assert plan(asked(prompt, count=2))[1].spec.prompt == prompt
    raw = "{% raw %}{{ n }}{% endraw %}"
    assert plan(asked(raw, count=2))[0].spec.prompt == "{{ n }}"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "", "a.csv: there are no rows"),
        ("a.csv", "path\n", "a.csv: there are no rows"),
        ("a.csv", "path,path\na,b\n", "a.csv:1: the column `path` stands there twice"),
        ("a.csv", "path\n" + "src\n" * 15 + "a,b\n", "a.csv:17: 2 cells; the first row has 1"),
        ("a.csv", 'path\n"src\n', "a.csv:2: "),
        ("a.csv", "path\n/etc\n", "a.csv:2: `path`: a path below the workspace is needed"),
        ("a.csv", "pth\nsrc\n", "has no parameter `pth`. Did you mean `path`?"),
        ("a.csv", "path\n\x1b]0;x\x07\n", "a.csv:2: `path`"),
        ("a.csv", "path\n" + "x\n" * 1001, "more than 1000 rows"),
        (
            "a.jsonl",
            '{"path": "a"}\n{"path": "a", "path": "b"}\n',
            "a.jsonl:2: the key `path`",
        ),
        ("a.jsonl", '{"path": ["a"]}\n', "a.jsonl:1: `path`: a text, a number or a flag"),
        ("a.jsonl", "[" * 100_000, "a.jsonl:1: "),
        ("a.jsonl", '{"path": "\\ud800"}', "a.jsonl:1: `path`: this is not UTF-8"),
        ("a.yaml", "- {path: a}\n- [b]\n", "a.yaml:2, row 2: names and values are needed"),
        ("a.yaml", "- &a {path: x}\n- *a\n", "a.yaml:2: `*` for what stands elsewhere"),
        ("a.yaml", "- !!python/object:os.system {}\n", "a.yaml:1: "),
        ("a.yaml", "- a: b\n  path: x\n  path: y\n", "a.yaml:3: the key `path` stands there twice"),
        ("a.yaml", "- path: 0x" + "F" * 9000, "a.yaml:1: a number has too many digits"),
        ("a.yaml", "- path: 1" + ":1" * 100_000, "a.yaml:1: a number has too many digits"),
        ("a.yaml", "- path: 1" + ":1" * 9000 + ".5", "a.yaml:1: a number has too many digits"),
        ("a.yaml", "- {../x: a}\n", "is no name of letters, digits and `_`"),
        ("a.txt", "x", "a file that ends in .csv"),
    ],
)
def test_a_mistake_names_the_file_and_the_row(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    assert said in refused(asked(template="test", file=file))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_text("a\n" + "x" * (rows.LIMIT_BYTES + 1))
    (tmp_path / "latin.csv").write_bytes("a\nM\xfcnchen\n".encode("latin-1"))
    (tmp_path / "folder.csv").mkdir()
    for name, said in {
        "big.csv": "larger than 4 MiB",
        "latin.csv": "latin.csv:2: this is not UTF-8",
        "folder.csv": "it is not a file",
        "none.csv": "there is no such file",
    }.items():
        assert said in refused(asked("x", file=tmp_path / name))


def test_too_many_are_refused_before_they_are_made() -> None:
    values = ",".join(map(str, range(100)))
    matrix = read_matrix([f"k{n}={values}" for n in range(8)])
    assert "at most 1000" in refused(asked("x {{ k1 }}", matrix=matrix))
    for word in ("path", "path=", "=a", "a b=c", "path=,"):
        with pytest.raises(UserError):
            read_matrix([word])


FLOW = """name: feature
params: {style: plain}
rows:
  - {topic: trees}
  - {topic: seas}
steps:
  - name: review
    prompt: Review {{ topic }}
    from: write
  - name: research
    prompt: Find out about {{ topic }}
  - name: write
    prompt: Write about {{ topic }}, {{ style }}
    from: research
    verify: test -f text.md
"""


def test_a_flow_is_put_in_order_for_every_row(tmp_path: Path) -> None:
    file = tmp_path / "feature.yaml"
    file.write_text(FLOW)
    found = plan(asked(file=file))
    assert [each.spec.given for each in found[:2]] == [
        {"topic": "trees", "step": "research"},
        {"topic": "trees", "step": "write"},
    ]
    assert found[4].spec.prompt == "Write about seas, plain"
    assert (found[4].after, found[4].starts_from, found[4].spec.verify) == (
        (3,),
        3,
        "test -f text.md",
    )
    spec = found[4].as_spec("feature", ["1", "2", "3", "4"])
    assert (spec.after, spec.workspace.kind, spec.workspace.source) == (
        ("4",),
        WorkspaceKind.FROM_RUN,
        "4",
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "from: research",
            "from: reserch",
            "waits for `reserch`, which is not a step. Did you mean",
        ),
        ("name: research", "name: write", "there are two steps `write`"),
        ("from: research", "from: review", "wait for each other: review, write"),
        ("prompt: Find", "prompts: Find", "unknown key"),
        ("{{ style }}", "{{ stile }}", "there is no parameter `stile`"),
        ("rows:", "steps: []\nrows:", "the key `steps` stands there twice"),
        ("name: feature", "nam: feature", "feature.yaml:1: unknown key `nam`. Did you mean `name`"),
    ],
)
def test_a_wrong_flow_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = tmp_path / "feature.yaml"
    file.write_text(FLOW.replace(old, new, 1))
    assert said in refused(asked(file=file))


@pytest.mark.parametrize("text", ["~", "null # none", "--- ~", "{}"])
def test_a_flow_without_steps_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "feature.yaml"
    file.write_text(text)
    assert "steps" in refused(asked(file=file))


@given(st.binary(max_size=400), st.sampled_from([".csv", ".jsonl", ".yaml"]))
def test_any_bytes_are_rows_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, ending: str
) -> None:
    file = tmp_path_factory.mktemp("rows") / f"any{ending}"
    file.write_bytes(data)
    try:
        assert plan(asked("say hello", file=file))
    except UserError as error:
        assert error.code in ("BATCH_INVALID", "INPUT_INVALID")
