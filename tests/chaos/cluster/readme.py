"""`python -m tests.chaos.cluster.readme`: README.md from README.in.md and results.json."""

import json
from pathlib import Path

from tests.chaos.cluster.table import settings, table

HERE = Path(__file__).parent


def made() -> str:
    """The page."""
    kept = json.loads((HERE / "results.json").read_text())
    page = (HERE / "README.in.md").read_text()
    return page.replace("<!-- table -->", f"{settings(kept)}\n\n{table(kept)}")


if __name__ == "__main__":
    (HERE / "README.md").write_text(made())
