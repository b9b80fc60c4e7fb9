"""Writes the seven shipped policies with short durations: seconds instead of days.

Labels, fields and surfaces stay. What a platform did not announce (window, surfaces, an impact
assessment) is filled in, as an operator would have to. All but one have the mode `enforce`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

LIMITED = {"recommend-feed": "limited", "revenue-share": "off"}
"""The surfaces that are filled in for a platform that announced none."""
ANNOUNCED = "2023-10-31T00:00:00+08:00"


@dataclass(frozen=True, slots=True)
class Tempo:
    """The demo's values for one platform's policy. Seconds count from the start of the demo.

    `later_from`: when the last phase begins. `answer_by`: the date before which no answer is due.
    `shadow_surface`: a surface that gets the mode `shadow`.
    """

    mode: str = "enforce"
    dwell: str = "PT0S"
    cool_down: str = "PT1H"
    later_from: float | None = None
    answer_by: float | None = None
    shadow_surface: str | None = None


TEMPI: Mapping[str, Tempo] = {
    "weibo": Tempo(dwell="PT1S", later_from=18, answer_by=22, shadow_surface="tips"),
    "wechat": Tempo(),
    "douyin": Tempo(dwell="PT2S", cool_down="PT3S"),
    "kuaishou": Tempo(mode="shadow", dwell="PT1S"),
    "bilibili": Tempo(dwell="PT1S", later_from=0, answer_by=22),
    "xiaohongshu": Tempo(),
    "baidu": Tempo(),
}


@dataclass(frozen=True, slots=True)
class Compressed:
    """The values of a written policy that the demo needs to plan its storylines.

    `line`: the lowest follower line in force at the start. `later_at` and `answer_by`: seconds UTC.
    """

    platform: str
    mode: str
    line: int
    covered_labels: tuple[str, ...]
    exempt_labels: tuple[str, ...]
    later_at: float | None
    answer_by: float | None
    shadow_surface: str | None
    path: Path


def compress(shipped: Path, folder: Path, now: float) -> dict[str, Compressed]:
    """Writes the policies into `folder`. Returns their values by platform.

    `shipped`: the folder of the shipped policies. `now`: seconds UTC, from which phases count.

    Raises:
        FileNotFoundError: one of the seven is not shipped.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    compressed = {}
    for platform, tempo in TEMPI.items():
        policy = yaml.load((shipped / f"{platform}.yaml").read_text(encoding="utf-8"))
        _quicken(policy, tempo, now)
        path = folder / f"{platform}.yaml"
        with path.open("w", encoding="utf-8") as file:
            yaml.dump(policy, file)
        compressed[platform] = _describe(policy, tempo, now, path)
    return compressed


def _quicken(policy: dict[str, Any], tempo: Tempo, now: float) -> None:
    policy["mode"] = tempo.mode
    policy["approvals"] = [{"actor": who, "at": _time(now)} for who in ("desk-1", "desk-2")]
    policy["impact_assessment"] = policy.get("impact_assessment") or "demo-assessment"
    policy["notice"].update({"answer_window": "PT5S", "reminders": ["PT2S"]})
    policy["stability"] = {
        "dwell": tempo.dwell,
        "exit_ratio": policy["stability"]["exit_ratio"],
        "leave_after": "PT2S",
        "cool_down": tempo.cool_down,
    }
    surfaces = policy["consequence"]["surfaces"] or dict(LIMITED)
    if tempo.shadow_surface is not None:
        level = surfaces[tempo.shadow_surface]
        level = level if isinstance(level, str) else level["level"]
        surfaces[tempo.shadow_surface] = {"level": level, "mode": "shadow"}
    policy["consequence"] = {
        "surfaces": surfaces,
        "on": ["declined", "no_answer"],
        "review_after": "PT3S",
        "expires_after": "PT6S",
    }
    policy["on_fall_below"] = "close"
    policy["rollout_percent"] = 100
    policy.pop("guards", None)
    _reschedule(policy["phases"], tempo, now)


def _reschedule(phases: list[dict[str, Any]], tempo: Tempo, now: float) -> None:
    """Sets the dates of phases: the first keeps its own, the last one begins within the demo."""
    for phase in phases:
        phase.pop("answer_by", None)
        phase.pop("mode", None)
    if phases[0]["from"] is None:
        phases[0]["from"] = ANNOUNCED
    else:
        phases[0]["from"] = _time(phases[0]["from"].timestamp())
    if tempo.later_from is not None:
        phases[-1]["from"] = _time(now + tempo.later_from)
    if tempo.answer_by is not None:
        phases[-1]["answer_by"] = _time(now + tempo.answer_by)


def _describe(policy: dict[str, Any], tempo: Tempo, now: float, path: Path) -> Compressed:
    started = [
        phase["followers"]
        for number, phase in enumerate(policy["phases"])
        if phase["from"] is not None and not (number and tempo.later_from)
    ]
    covered = policy["fields"]["covered"]
    labels = policy["fields"]["labels"] or {}
    return Compressed(
        platform=policy["platform"],
        mode=tempo.mode,
        line=min(started),
        covered_labels=tuple(
            label for label, field in labels.items() if covered == "any" or field in covered
        ),
        exempt_labels=tuple(policy["fields"]["exempt_labels"] or ()),
        later_at=now + tempo.later_from if tempo.later_from else None,
        answer_by=now + tempo.answer_by if tempo.answer_by else None,
        shadow_surface=tempo.shadow_surface,
        path=path,
    )


def _time(instant: float) -> str:
    return datetime.fromtimestamp(int(instant), UTC).isoformat().replace("+00:00", "Z")
