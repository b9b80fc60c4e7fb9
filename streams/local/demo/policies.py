"""Writes the seven shipped policies with short durations: seconds instead of days.

Labels, fields and surfaces stay. What a platform did not announce (window, surfaces, an impact
assessment) is filled in, as an operator would have to. All but one have the mode `enforce`.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from streams.local.demo.script import PlatformScript, script

LIMITED = {"recommend-feed": "limited", "revenue-share": "off"}
"""The surfaces that are filled in for a platform that announced none."""
ANNOUNCED = "2023-10-31T00:00:00+08:00"


class ShortPolicy(NamedTuple):
    """The values of a written policy that storylines need.

    `line`: the lowest follower line in force at the start.
    """

    mode: str
    line: int
    covered: tuple[str, ...]
    exempt: tuple[str, ...]


def compress(shipped: Path, folder: Path, now: float) -> dict[str, ShortPolicy]:
    """Writes the policies into `folder`. Returns their values by platform.

    `shipped`: the folder of the shipped policies. `now`: seconds UTC, from which phases count.

    Raises:
        FileNotFoundError: one of the seven is not shipped.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_unicode = True
    written = {}
    for platform, short in script().platforms.items():
        policy = yaml.load((shipped / f"{platform}.yaml").read_text(encoding="utf-8"))
        _shorten(policy, short, now)
        with (folder / f"{platform}.yaml").open("w", encoding="utf-8") as file:
            yaml.dump(policy, file)
        written[platform] = _describe(policy, short)
    return written


def _shorten(policy: dict[str, Any], short: PlatformScript, now: float) -> None:
    for name, value in script().policy.items():
        policy[name] = {**policy[name], **value} if isinstance(value, dict) else value
    policy["mode"] = short.mode.value
    policy["approvals"] = [{"actor": who, "at": _time(now)} for who in ("desk-1", "desk-2")]
    policy["impact_assessment"] = policy.get("impact_assessment") or "demo-assessment"
    policy["stability"] |= short.stability
    del policy["stability"]["max_age"]
    surfaces = policy["consequence"]["surfaces"] or dict(LIMITED)
    if short.shadow is not None:
        level = surfaces[short.shadow.value]
        level = level if isinstance(level, str) else level["level"]
        surfaces[short.shadow.value] = {"level": level, "mode": "shadow"}
    policy["consequence"]["surfaces"] = surfaces
    policy.pop("guards", None)
    first, last = policy["phases"][0], policy["phases"][-1]
    for phase in policy["phases"]:
        phase.pop("answer_by", None)
        phase.pop("mode", None)
    first["from"] = _time(first["from"].timestamp()) if first["from"] else ANNOUNCED
    if short.phase_at is not None:
        last["from"] = _time(now + short.phase_at)
    if short.answer_by is not None:
        last["answer_by"] = _time(now + short.answer_by)


def _describe(policy: dict[str, Any], short: PlatformScript) -> ShortPolicy:
    begun = policy["phases"][:1] if short.phase_at else policy["phases"]
    covered, labels = policy["fields"]["covered"], policy["fields"]["labels"] or {}
    return ShortPolicy(
        short.mode.value,
        min(phase["followers"] for phase in begun if phase["from"] is not None),
        tuple(label for label, field in labels.items() if covered == "any" or field in covered),
        tuple(policy["fields"]["exempt_labels"] or ()),
    )


def _time(instant: float) -> str:
    return datetime.fromtimestamp(int(instant), UTC).isoformat().replace("+00:00", "Z")
