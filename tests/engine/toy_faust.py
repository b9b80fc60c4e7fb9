"""The toy for the `faust` command: `TOY='{…}' faust -A tests.engine.toy_faust worker`."""

import json
import os
from pathlib import Path

from streams.engine.config import EngineConfig
from streams.engine.faust_app import build
from tests.engine.toy import Toy

options = json.loads(os.environ["TOY"])
app = build(
    EngineConfig(
        application_id=options["prefix"],
        bootstrap_servers=options["bootstrap_servers"],
        data_dir=Path(options["data_dir"]),
    ),
    Toy(options["prefix"]),
)
