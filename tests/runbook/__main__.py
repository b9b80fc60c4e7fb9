"""`python -m tests.runbook [PAGE…] [--write]`: type each command of the runbook's pages.

On a real Kafka, with topics of its own for each page. Exit 1 when a command ends with another code
than its page says. `--write` puts what was printed under each command, and into ran.json which
commands were run, with what exit code, in how many seconds.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streams.local.kafka import KafkaCluster
from tests.runbook.given import GIVEN
from tests.runbook.ground import Ground
from tests.runbook.pages import Page, Typed, pages

RAN = Path(__file__).with_name("ran.json")


def tried(page: Page, ground: Ground) -> tuple[list[str], list[dict[str, Any]], list[str]]:
    """What each command printed, what is kept of it, and what is not as the page says."""
    outputs, kept, wrong = [], [], []
    for step in page.steps():
        if not isinstance(step, Typed):
            GIVEN[step](ground)
            continue
        began = time.monotonic()
        code, output = ground.run(step.command)
        seconds = round(time.monotonic() - began, 1)
        print(f"$ {step.line}\n{output}\n({code}, {seconds} s)", flush=True)
        outputs.append(output)
        kept.append({"typed": step.line, "exit": code, "seconds": seconds})
        if code != step.code:
            wrong.append(f"{page.name}: `{step.command}` ended with {code}, not {step.code}")
    return outputs, kept, wrong


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", help="names of pages; default: all")
    parser.add_argument("--kafka", help="host:port of one that runs; default: a new one")
    parser.add_argument("--write", action="store_true", help="put the output into the pages")
    chosen = parser.parse_args()
    names = [page.name for page in pages()]
    wanted = [page for page in pages() if page.name in (chosen.pages or names)]
    wrong = []
    with _kafka(chosen.kafka) as address:
        for number, page in enumerate(wanted):
            wrong += _try(page, address, f"y{os.getpid() % 1000:03}{number:02}", chosen.write)
    print("\n".join(wrong) or "every command ended as its page says")
    return bool(wrong)


def _try(page: Page, address: str, name: str, write: bool) -> list[str]:
    """Types the commands of a page; keeps what they printed if nothing is wrong."""
    with (
        tempfile.TemporaryDirectory(prefix="runbook-") as folder,
        Ground(Path(folder), address, name) as ground,
    ):
        outputs, kept, wrong = tried(page, ground)
    if write and not wrong:
        page.path.write_text(page.written(outputs), encoding="utf-8")
        known = json.loads(RAN.read_text()) if RAN.exists() else {}
        known[page.name] = kept
        RAN.write_text(json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return wrong


@contextmanager
def _kafka(address: str | None) -> Iterator[str]:
    if address:
        yield address
        return
    with (
        tempfile.TemporaryDirectory(prefix="runbook-kafka-") as folder,
        KafkaCluster(Path(folder), brief=True) as cluster,
    ):
        yield cluster.bootstrap


if __name__ == "__main__":
    sys.exit(main())
