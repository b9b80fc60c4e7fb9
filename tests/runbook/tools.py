"""Kafka's own command line tools, from Maven by `jgo`, as scripts with the names that people know.

They are for the runbook's pages alone, so they are not in the local Kafka's pinned class path.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import jgo

from streams.local.jars import class_path as jars_of_the_broker
from streams.local.jars import java
from streams.local.node import BRIEF

VERSION = "4.2.0"
LOGGER = "org.slf4j:slf4j-simple:1.7.36"
TOOLS: Mapping[str, str] = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-transactions.sh": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-delete-records.sh": "org.apache.kafka.tools.DeleteRecordsCommand",
}
MIRROR: Mapping[str, str] = {
    "connect-mirror-maker.sh": "org.apache.kafka.connect.mirror.MirrorMaker"
}


def put_into(folder: Path) -> None:
    """Writes a script for each tool; the jars are downloaded once (78 MB)."""
    for artifact, tools in (("kafka-tools", TOOLS), ("connect-mirror", MIRROR)):
        jars = jgo.resolve(f"org.apache.kafka:{artifact}:{VERSION}+{LOGGER}")
        # ConfigCommand is still in the jar of the broker.
        found = [*(jar.resolve() for jar in jars), *jars_of_the_broker()]
        class_path = os.pathsep.join(map(str, found))
        options = [
            *BRIEF,
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
        ]
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
        for name, main in tools.items():
            script = folder / name
            words = [str(java()), *options, quiet, "-cp", class_path, main]
            script.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n')
            script.chmod(0o755)
