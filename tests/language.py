"""Check of the language rule: first words of docstrings, and words that have a plainer one.

    python tests/language.py [FOLDER or FILE ...]

`make check` runs it on everything.
"""

import ast
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE = ("engine", "tui", "swarm_tui.py")
TEXTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "Makefile", "docs")

WITH_BODY = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
ASSIGNMENTS = ast.Assign | ast.AnnAssign

# The first word of a function's docstring, and the verb that a reader would search for.
VERBS = {
    "Give": "Return",
    "Say": "Return, Print or Show",
    "Tell": "Notify, Show or Report",
    "Let": "Allow, or the verb of what happens",
    "Have": "the verb of what happens",
    "Be": "the verb of what happens",
    "Get": "Return or Read",
    "Lay": "Write, Create or Place",
    "Mend": "Fix or Repair",
    "Carry": "Run or Supervise",
    "Complain": "Warn or Raise",
    "Die": "Exit",
    "Hear": "Read or Receive",
}
# Pronouns and question words: no docstring begins with one.
PRONOUNS = re.compile(
    r"What|Who|Whoever|Whatever|That|Those|These|This|There|Where|Wherever|How|Whether|When|Which"
    r"|Why|Its|It|Their|Somebody|Something|Everybody|Everything|Nobody|Nothing|Anything|From|By"
)
# A class or module is a thing, not a deed.
THIRD_PERSON = re.compile(
    r"Appends|Asks|Brings|Carries|Compares|Contains|Converts|Deletes|Delivers|Distils|Does|Draws"
    r"|Fills|Finds|Follows|Gives|Hands|Keeps|Knows|Leaves|Makes|Measures|Mends|Prepares|Reads"
    r"|Removes|Rewrites|Says|Sees|Shows|Starts|Supervises|Takes|Tells|Turns|Watches|Writes"
)

WORDS = tuple(
    (re.compile(pattern, re.IGNORECASE), better)
    for pattern, better in (
        (r"\banew\b", "again"),
        (r"\bmend(s|ed|ing)?\b", "fix, repair"),
        (r"\bin vain\b", "without success, failed"),
        (r"\bbe (it|they)\b", "even if, whether"),
        (r"\bwhoever\b", "the caller, the user, the process"),
        (r"\bthat which\b", "the noun itself"),
        (r"\b(?<!there )is no (?!longer\b|more than\b|less than\b|matter\b)", "is not a, invalid"),
        (r"\b(?<!there )are no (?!longer\b|more than\b)", "are not"),
        (r"\b(take[sn]?|took|taking) (\w+ ){0,3}home\b", "apply"),
        (r"\bways? out\b", "fix"),
        (r"\bartefacts?\b", "rebuildable file"),
        (r"\b(tell|tells|telling|told)\b", "show, notify, report, distinguish"),
        (r"\bgives?\b(?! (up|way|back)\b)", "return, provide, set"),
        (r"\b(say|says|saying|said)\b", "print, show, state, report"),
        (r"\bsomebody\b", "another process, the user"),
        (r"\bnobody\b", "no one, no process"),
        (r"\b(is|are|was|were) so\b(?! (\w+ )?that\b)", "the fact itself"),
        (r"\bthereof\b|\bhitherto\b|\bof old\b", "plain words"),
    )
)
# A sentence that begins with a question word and is no question.
SUBJECT = re.compile(r"(?:^|[.;:!?]\s+)((?:What|Who|Whoever)\s[^.;?!]*)([.;?!]|$)")

# Statements have names of their own, which a migration would have to change.
SQL = re.compile(r"\b(SELECT|INSERT|CREATE|UPDATE|DELETE|FROM|AS|rowid|id, said)\b")

Finding = tuple[int, str]


def words(line: int, text: str) -> Iterator[Finding]:
    """Yield the words in `text` that have a plainer one."""
    bare = re.sub(r"`[^`]*`|--[a-z][a-z-]*|\bsim: say\b", "``", text)
    for pattern, better in WORDS:
        for match in pattern.finditer(bare):
            at = line + bare.count("\n", 0, match.start())
            yield at, f"'{match.group().strip()}': better {better}"


def subjects(line: int, text: str) -> Iterator[Finding]:
    """Yield the sentences in `text` whose subject is a question word."""
    for match in SUBJECT.finditer(text):
        if match.group(2) != "?":
            first = match.group(1).split()[0]
            yield line + text.count("\n", 0, match.start(1)), f"'{first} …': name the thing"


def opening(node: ast.AST, line: int, text: str) -> Iterator[Finding]:
    """Yield what is wrong with the first word of a docstring."""
    first = re.sub(r"\W+$", "", text.split()[0])
    if PRONOUNS.fullmatch(first):
        yield line, f"docstring begins with '{first}': begin with a noun or an imperative verb"
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if first in VERBS:
            yield line, f"docstring begins with '{first}': better {VERBS[first]}"
    elif THIRD_PERSON.fullmatch(first):
        yield line, f"docstring begins with '{first}': a class or module is a noun"


def docstring(node: ast.AST) -> ast.Constant | None:
    """Return the docstring of a module, class or function."""
    if not isinstance(node, WITH_BODY):
        return None
    head = node.body[0] if node.body else None
    if isinstance(head, ast.Expr) and isinstance(head.value, ast.Constant):
        return head.value if isinstance(head.value.value, str) else None
    return None


def attribute_docstrings(node: ast.AST) -> Iterator[ast.Constant]:
    """Yield the strings below assignments in a module, class or function, as below `self.x`."""
    if isinstance(node, WITH_BODY):
        for before, after in pairwise(node.body):
            if isinstance(before, ASSIGNMENTS) and isinstance(after, ast.Expr):
                value = after.value
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value


def is_sentence(value: object) -> bool:
    """Return whether a constant is text for readers: several words, no SQL, no directive `say`."""
    if not isinstance(value, str) or value.startswith("say "):
        return False
    return " " in value and not SQL.search(value)


def of_docstring(owner: ast.AST, found: ast.Constant) -> Iterator[Finding]:
    """Yield the findings in a docstring of `owner`; an attribute's is its own owner."""
    text = str(found.value)
    if text.strip():
        yield from opening(owner, found.lineno, text)
        yield from subjects(found.lineno, text)
        yield from words(found.lineno, text)


def of_code(source: str) -> Iterator[Finding]:
    """Yield the findings in docstrings, strings and comments of a Python file."""
    seen: set[ast.AST] = set()
    for node in ast.walk(ast.parse(source)):
        for below in attribute_docstrings(node):
            seen.add(below)
            yield from of_docstring(below, below)
        if isinstance(found := docstring(node), ast.Constant):
            seen.add(found)
            yield from of_docstring(node, found)
        elif isinstance(node, ast.Constant) and node not in seen and is_sentence(node.value):
            yield from words(node.lineno, str(node.value))
    for number, line in enumerate(source.splitlines(), 1):
        if comment := re.search(r"(?:^|\s)# (.*)", line):
            yield from words(number, comment[1])


def of_text(source: str) -> Iterator[Finding]:
    """Yield the findings in a page, outside its blocks of code."""
    hidden = re.sub(
        r"```.*?```", lambda block: "\n" * block[0].count("\n"), source, flags=re.DOTALL
    )
    yield from words(1, hidden)


def findings(path: Path) -> list[Finding]:
    """Return the findings in a file, in the order of its lines."""
    source = path.read_text(encoding="utf-8")
    found = of_code(source) if path.suffix == ".py" else of_text(source)
    return sorted(set(found))


def files(names: list[str]) -> Iterator[Path]:
    """Yield the files that are checked below folders."""
    for name in names:
        path = Path(name).resolve() if Path(name).exists() else ROOT / name
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.suffix in {".py", ".md"})
        else:
            yield path


def main(names: list[str]) -> int:
    """Print the findings; return 1 where there is one."""
    failed = False
    for path in files(names or [*CODE, *TEXTS]):
        name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
        for line, problem in findings(path):
            failed = True
            print(f"{name}:{line}: {problem}")
    if failed:
        print("The language rule: CONTRIBUTING.md, section Words.")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
