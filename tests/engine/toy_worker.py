"""Runs the toy as a worker: `python toy_worker.py '{"bootstrap_servers": …}'`, settings as JSON."""

import gc
import itertools
import json
import logging
import sys
import threading
import time
from pathlib import Path

from streams.engine.config import EngineConfig
from streams.engine.faust_app import build, run
from streams.settings_login import TlsFiles
from tests.engine import stalling
from tests.engine.toy import Toy


def main() -> int:
    options = json.loads(sys.argv[1])
    logging.basicConfig(
        level=options.pop("log", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stdout,
    )
    if ahead := options.pop("ahead_seconds", 0):
        true = time.time
        time.time = lambda: true() + ahead
    prefix, every = options.pop("prefix"), options.pop("every", 1)
    append_time = options.pop("append_time", False)
    status_path = options.pop("status", None)
    lose, lose_count = options.pop("lose", 0), options.pop("lose_count", 1)
    for name in (*options.pop("break", []), *options.pop("without", [])):
        stalling.ALL[name]()
    options["data_dir"] = Path(options["data_dir"])
    if cafile := options.pop("cafile", None):
        options["security"]["ssl_context"] = TlsFiles(Path(cafile), None, None).context()
    config = EngineConfig(**{"application_id": prefix, **options})
    toy = Toy(prefix, every, append_time)
    app = build(config, toy)
    if lose:
        _lose(app, lose, lose_count)
    if status_path:
        threading.Thread(target=_tell, args=(app, toy, Path(status_path)), daemon=True).start()
    return run(app)


def _lose(app, first: int, count: int) -> None:  # type: ignore[no-untyped-def]
    """Drop batches with adds on their way to the partitions, as no transport should."""
    route, serial = app.engine.route, itertools.count(1)

    def leaky(fetched) -> None:  # type: ignore[no-untyped-def]
        adds = fetched.batch.topic.endswith(".adds") and fetched.batch.records
        if not (adds and first <= next(serial) < first + count):
            route(fetched)

    app.engine.route = leaky


def _tell(app, toy: Toy, path: Path) -> None:  # type: ignore[no-untyped-def]
    """Write the status four times a second, for the tests to wait on."""
    while True:
        try:
            status = app.engine.status()
            told = {
                "ready": status.ready,
                "generation": status.generation,
                "changed": status.cluster_changed,
                "blocked": list(status.blocked),
                "away": status.away_seconds,
                "ousted": status.ousted,
                "kept": len(toy.parts),
                "frozen": gc.get_freeze_count(),
                "parts": {p.partition: [p.state, p.lag] for p in status.partitions},
            }
        except RuntimeError:
            continue
        path.with_suffix(".new").write_text(json.dumps(told))
        path.with_suffix(".new").rename(path)
        time.sleep(0.25)


if __name__ == "__main__":
    sys.exit(main())
