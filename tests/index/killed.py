"""kill -9 at random while it follows: `python -m tests.index.killed --kills 100`.

Records come all the while. In the end the index is compared with one made from nothing, row by row,
and what stands in its own tables has to be there still. Prints one line of JSON; exit 1 where
anything differs.
"""

import argparse
import itertools
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import URL, func, insert, select

from streams.index import tables
from streams.index.database import open_engine, reading, url_of, writing
from streams.local.kafka import KafkaCluster
from streams.settings import SettingsWithoutPolicies
from streams.settings_checks import variable
from tests.index.filled import contents
from tests.index.pace import PARTITIONS, played
from tests.index.poured import pour
from tests.support import processes

LONGEST_SECONDS = 600.0


def main() -> int:
    """Run so many kills."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=15)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as name,
        KafkaCluster(Path(name) / "kafka", brief=True) as cluster,
    ):
        folder = Path(name)
        log = folder / "log"
        environment = {
            **os.environ,
            variable("kafka_bootstrap_servers"): cluster.bootstrap,
            variable("data_dir"): str(folder / "data"),
        }
        settings = SettingsWithoutPolicies(
            kafka_bootstrap_servers=cluster.bootstrap, data_dir=folder / "data"
        )
        made = processes.run(["topics", "create", "--partitions", str(PARTITIONS)], environment)
        assert made.returncode == 0, made.stderr
        records = played(options.records)
        engine = open_engine(url_of(settings), make=True)
        inside = 0
        for number in range(options.kills):
            pour(settings, itertools.islice(records, options.records // options.kills))
            process = processes.start(["index", "--follow"], environment, log)
            time.sleep(chance.uniform(0.1, 4.0))
            inside += process.returncode is None
            process.kill()
            process.wait(60)
            if number == 0:
                done = processes.run(["index"], environment, timeout=LONGEST_SECONDS)
                assert done.returncode == 0, done.stderr
                with writing(engine) as connection:
                    row = {"at": 7, "what": "mine", "says": "stays"}
                    connection.execute(insert(tables.runs), row)
        pour(settings, records)
        done = processes.run(["index"], environment, timeout=LONGEST_SECONDS)
        assert done.returncode == 0, done.stderr
        whole = URL.create("sqlite", database=str(folder / "whole.sqlite"))
        other = {**environment, variable("database"): whole.render_as_string()}
        done = processes.run(["index"], other, timeout=LONGEST_SECONDS)
        assert done.returncode == 0, done.stderr
        first, second = contents(engine), contents(open_engine(whole))
        with reading(engine) as connection:
            mine = tables.runs.c.what == "mine"
            kept = connection.scalar(select(func.count()).select_from(tables.runs).where(mine))
        differing = [name for name in first if first[name] != second[name]]
        found = {
            "kills": options.kills,
            "of_a_running_one": inside,
            "rows": sum(map(len, first.values())),
            "tables_that_differ": differing,
            "own_rows_kept": kept,
            "seconds": round(time.monotonic() - began),
            "seed": options.seed,
        }
    print(json.dumps(found))
    return 1 if differing or kept != 1 else 0


if __name__ == "__main__":
    sys.exit(main())
