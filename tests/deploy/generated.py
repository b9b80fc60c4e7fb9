"""`python -m tests.deploy.generated --write`: the manifests that are made from other files.

`kafka/topics.yaml` and `kafka/users.yaml` are what `byline topics strimzi` prints; the rule of
`monitoring` holds the groups of deploy/prometheus. Without `--write` it says which are not up to
date; exit 1.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from streams.operate.strimzi import as_yaml, kafka_topics, kafka_users
from streams.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
PROMETHEUS = DEPLOY / "prometheus"
PARTITIONS = 32
REPLICAS = 3


def rule_groups() -> list[dict[str, Any]]:
    """The groups of all rule files that the example configuration of Prometheus names."""
    yaml = YAML(typ="safe", pure=True)
    named = yaml.load(PROMETHEUS / "prometheus.yaml")["rule_files"]
    return [group for name in named for group in yaml.load(PROMETHEUS / name)["groups"]]


def manifests() -> Mapping[Path, str]:
    """Each file that is made, and what has to stand in it."""
    # The defaults, whatever the environment of whoever makes them says.
    settings = Settings.model_construct(application_id="byline", topic_prefix="byline.")
    made = {
        KUBERNETES / "kafka" / "topics.yaml": kafka_topics(settings, "kafka", PARTITIONS, REPLICAS),
        KUBERNETES / "kafka" / "users.yaml": kafka_users(settings, "kafka"),
    }
    if PROMETHEUS.is_dir():
        rule = {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": "byline"},
            "spec": {"groups": rule_groups()},
        }
        made[KUBERNETES / "monitoring" / "prometheus-rule.yaml"] = [rule]
    head = "# Made by `python -m tests.deploy.generated --write`.\n"
    return {path: head + as_yaml(resources) for path, resources in made.items()}


def stale() -> list[Path]:
    """Those that are not what they have to be."""
    return [
        path
        for path, text in manifests().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def main() -> int:
    """Say which are not up to date, or write them."""
    parser = argparse.ArgumentParser(prog="python -m tests.deploy.generated", description=__doc__)
    parser.add_argument("--write", action="store_true")
    if not parser.parse_args().write:
        for path in stale():
            print(f"{path} is not up to date", file=sys.stderr)
        return 1 if stale() else 0
    for path, text in manifests().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
