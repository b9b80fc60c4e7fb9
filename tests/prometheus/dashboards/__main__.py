"""Write deploy/grafana/*.json: `python -m tests.prometheus.dashboards --write`."""

import argparse
import sys
from pathlib import Path

from tests.prometheus.dashboards.console import CONSOLE
from tests.prometheus.dashboards.panel import Board, rendered
from tests.prometheus.dashboards.programme import PROGRAMME
from tests.prometheus.dashboards.protection import PROTECTION
from tests.prometheus.dashboards.service import SERVICE

BOARDS: tuple[Board, ...] = (SERVICE, PROGRAMME, PROTECTION, CONSOLE)
FOLDER = Path(__file__).parents[3] / "deploy/grafana"


def main() -> int:
    """Compare the files with what is declared; with --write, write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    FOLDER.mkdir(exist_ok=True)
    differ = 0
    for board in BOARDS:
        file, wanted = FOLDER / f"{board.name}.json", rendered(board)
        if write:
            file.write_text(wanted)
        elif not file.exists() or file.read_text() != wanted:
            print(f"{file.name} differs: python -m tests.prometheus.dashboards --write")
            differ = 1
    return differ


if __name__ == "__main__":
    sys.exit(main())
