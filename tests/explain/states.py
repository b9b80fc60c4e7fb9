"""An account in each state, as a person reads it: `python -m tests.explain.states --write`.

The lives are those that the nearest change is held to (test_nearest.py). Writes states.md, in
English and in Chinese; a test holds the page to what `byline explain` says of these lives.
"""

import argparse
import tempfile
from pathlib import Path

from streams.core.model.instants import rfc3339
from streams.explain.explanation import HEADINGS, Explanation, explain
from streams.explain.gather import from_index
from streams.explain.sentences import LANGUAGES, Language
from tests.explain.test_nearest import STATES
from tests.index.filled import filled

PAGE = Path(__file__).with_name("states.md")


def lines(told: Explanation, language: Language) -> list[str]:
    """What the command prints, but for the records that each sentence names."""
    found = []
    for name, sentences in told.sections.items():
        if sentences:
            found += ["", HEADINGS[language][name]]
        for it in sentences:
            at = "" if it.at is None else f"{rfc3339(it.at)[:19]}Z  "
            found.append(f"  {at}{it.text(language)}")
    return found[1:]


def page() -> str:
    """All of it."""
    text = [
        "# An account in each state, explained",
        "",
        "What `byline explain` says of the lives that `test_nearest.py` holds to the core, without",
        "the topic, partition and offset that each sentence names. `python -m tests.explain.states",
        "--write` writes this page, and a test holds it to the code.",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, (make, _) in STATES.items():
            tape = make()
            engine = filled(Path(folder), tape, f"{name}.sqlite")
            told = explain(from_index(engine, "weibo:p1"), tape.now)
            engine.dispose()
            text += ["", f"## {name}"]
            for language in LANGUAGES:
                text += ["", "```text", *lines(told, language), "```"]
    return "\n".join(text) + "\n"


def main() -> None:
    """Print it, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page())


if __name__ == "__main__":
    main()
