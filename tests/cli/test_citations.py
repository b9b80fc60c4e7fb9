"""What documents, docstrings and comments point to exists: files, headings, links, rules."""

import re
import subprocess
from functools import cache
from pathlib import Path

from streams.operate.audit.rules import RULES

ROOT = Path(__file__).parents[2]
TRACKED = [
    Path(name)
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if (ROOT / name).is_file()
]
NAMES = {path.name for path in TRACKED}
MODULES = [path for path in TRACKED if path.suffix == ".py"]
DOCUMENTS = [path for path in TRACKED if path.suffix == ".md" or path.name == "README.in.md"]
INVARIANTS = Path("streams/operate/audit/INVARIANTS.md")

CITED = re.compile(r'([\w./-]+\.md)[`]?, ((?:"[^"]+"(?:, | and )?)+)')
"""A document and its headings: `schemas/CONTRACT.md`, "Words" and "Topics"."""
PATH = re.compile(r"(?<![\w/.<-])((?:schemas|streams|deploy|tests)/[\w./*-]*\w)(?![\w/*<>{])")
NAME = re.compile(r"(?<![\w/.*<-])([a-z_]\w*\.(?:py|md|yaml))\b(?!\()")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NUMBERED = re.compile(
    r"\bcontract(?:'s)?,? (?:sections? )?\d|\bcontract's section|\bdomain (?:report|section)|"
    r"\bdesign/[a-z]|§",
    re.IGNORECASE,
)
"""How the project once spoke of documents that are not in it."""


@cache
def prose_of(path: Path) -> str:
    """A document without its blocks of code; of a module the docstrings and comments."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.suffix == ".py":
        comments = re.findall(r"^\s*#(.*)$", text, re.MULTILINE)
        return "\n".join([*re.findall(r'"""(.*?)"""', text, re.DOTALL), *comments])
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def joined(path: Path) -> str:
    """The prose in one line, so that a pointer may run on in the next one."""
    return re.sub(r"\s+", " ", prose_of(path))


@cache
def headings_of(document: Path) -> frozenset[str]:
    """The headings of a document, with and without a number in front."""
    found = re.findall(r"^#+ (.*)$", prose_of(document), re.MULTILINE)
    return frozenset([*found, *(re.sub(r"^\d+\. ", "", heading) for heading in found)])


def anchor(heading: str) -> str:
    """A heading as a link names it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def document_named(name: str, cited_by: Path) -> Path | None:
    """The document that is meant: from the root of the repository, or beside who cites it."""
    for path in (Path(name), cited_by.parent / name):
        if (ROOT / path).is_file():
            return path
    return None


def test_each_cited_heading_exists() -> None:
    cited = [
        (path, name, heading)
        for path in (*MODULES, *DOCUMENTS)
        for name, quoted in CITED.findall(joined(path))
        for heading in re.findall(r'"([^"]+)"', quoted)
    ]
    assert len(cited) > 100, "the pointers are not found any more"
    wrong = []
    for path, name, heading in cited:
        document = document_named(name, path)
        if document is None or heading not in headings_of(document):
            wrong.append(f'{path}: {name} has no heading "{heading}"')
    assert not wrong


def test_each_cited_file_exists() -> None:
    wrong = []
    for path in (*MODULES, *DOCUMENTS):
        prose = prose_of(path)
        wrong += [f"{path}: {it}" for it in PATH.findall(prose) if not any(ROOT.glob(it))]
        code = (ROOT / path).read_text(encoding="utf-8")
        wrong += [
            f"{path}: {it}"
            for it in NAME.findall(prose)
            if it not in NAMES and f'"{it}"' not in code  # what a module writes need not be there
        ]
    assert not wrong


def test_nothing_points_to_a_document_that_is_not_here() -> None:
    wrong = [
        f"{path}: {found}"
        for path in (*MODULES, *DOCUMENTS)
        for found in NUMBERED.findall(joined(path))
    ]
    assert not wrong, "name a heading of schemas/CONTRACT.md"


def test_each_link_leads_somewhere() -> None:
    wrong = []
    for path in DOCUMENTS:
        for target in LINK.findall(prose_of(path)):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, fragment = target.partition("#")
            document = path.parent / name if name else path
            anchors = {anchor(it) for it in headings_of(document)} if fragment else {""}
            if not (ROOT / document).exists() or fragment not in anchors:
                wrong.append(f"{path}: {target}")
    assert not wrong


def test_each_rule_of_the_auditor_stands_under_its_invariant() -> None:
    said = {
        int(number): dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", body, re.MULTILINE))
        for number, body in re.findall(
            r"^## (\d+)\. [^\n]*\n(.*?)(?=^## )", prose_of(INVARIANTS), re.MULTILINE | re.DOTALL
        )
    }
    assert said == {
        number: {name: rule.says for name, rule in RULES.items() if rule.invariant == number}
        for number in range(1, 16)
    }, "streams/operate/audit/rules.py and INVARIANTS.md"
