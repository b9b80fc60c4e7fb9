"""Hatchling's hook: a wheel with the compiled part (deploy/compile.sh) is of its platform only."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PlatformTag(BuildHookInterface[Any]):
    """Names the wheel by Python version and platform if the checkout has the compiled part."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before each build."""
        if any(Path(self.root, "streams/kafka").glob("_columns.*.so")):
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
