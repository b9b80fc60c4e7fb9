"""A poison from beginning to end: before, while it works, after a restart, and the way back."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.topics import OUTPUTS, TopicNames
from tests.chaos.poison.poisons import POISONS, Poison, Waiting
from tests.chaos.poison.scene import PARTITIONS, PLATFORMS, Scene
from tests.chaos.soak.outputs import Outputs
from tests.worker.harness import Estate
from tests.worker.policies import policy

WINDOW_SECONDS = 5.0
READ_SECONDS = 900.0
MOST_MIB = 400.0
HELD_SECONDS = 3.0
"""How long after their deadlines those in doubt are watched."""


def perform(
    poison: Poison,
    bootstrap: str,
    folder: Path,
    serial: int,
    *,
    count: int | None = None,
    window: float = WINDOW_SECONDS,
) -> dict[str, Any]:
    """Do it, with a worker and topics of its own; what was seen. Fails where something is wrong."""
    policies = folder / "policies"
    policies.mkdir(parents=True)
    for platform in PLATFORMS:
        text = policy(platform, window=f"PT{window:.0f}S")
        (policies / f"{platform}.yaml").write_text(text, encoding="utf-8")
    names = TopicNames(f"poison{serial}.", f"poison{serial}")
    estate = Estate(bootstrap, names, policies, folder, PARTITIONS, forked=False)
    estate.create_topics()
    scene = Scene(estate, window)
    topics = [names.of(topic) for topic in OUTPUTS]
    try:
        estate.start(1)
        outputs = Outputs(bootstrap, topics, PARTITIONS, scene.hear)
        try:
            return _act(scene, poison, count or poison.count)
        finally:
            outputs.close()
    finally:
        estate.stop()


def _act(scene: Scene, poison: Poison, count: int) -> dict[str, Any]:
    places = [(platform, number) for platform in PLATFORMS for number in range(PARTITIONS)]
    bound = {place: scene.names(*place, 1)[0] for place in places}
    (lifting,) = scene.names("weibo", 0, 1)
    scene.restricted([*bound.values(), lifting])
    waiting = Waiting({place: scene.names(*place, 1)[0] for place in places})
    scene.delivered(waiting.of())
    scene.extended(waiting.of(), poison.time_seconds)
    over_at = time.monotonic() + poison.time_seconds
    doubted = poison.doubted(waiting)
    sure = [key for key in waiting.of() if key not in doubted]

    began = time.monotonic()
    poison.send(scene, waiting, count)
    scene.estate.flush()
    sent = round(time.monotonic() - began, 1)
    # A timer waits until all that had come in when it was due is read, however long that takes.
    assert time.monotonic() < over_at, "too slow a machine: their time was over before"
    began = time.monotonic()
    if poison.read:
        scene.estate.drain(READ_SECONDS)
    read = round(time.monotonic() - began, 1)
    lifted = _favourable(scene, bound, lifting, poison)
    invited = _invited(scene, poison)
    peak = scene.peak_mib()
    restart = scene.restart()

    time.sleep(max(0.0, over_at + 1.0 - time.monotonic()))
    flowed = scene.wait(lambda: scene.having("throttle.applied", sure), 60, "the others go on")
    before = scene.adverse(doubted)
    time.sleep(HELD_SECONDS)
    # One each: that they were invited, before.
    assert scene.adverse(doubted) == before == len(doubted), "those in doubt were restricted"
    # The first process took the poison in, the second one what was left of it.
    memory = max(peak, scene.peak_mib())
    assert memory < MOST_MIB, f"{memory} MiB"

    poison.heal(scene, waiting)
    patience = poison.time_seconds + scene.window + 60
    back = scene.wait(lambda: scene.having("throttle.applied", doubted), patience, "back to normal")
    scene.estate.drain()
    scene.run("audit")
    return {
        "poison": poison.name,
        "count": count,
        "sent_seconds": sent,
        "read_seconds": read if poison.read else None,
        "lifted_seconds": lifted,
        "invited_seconds": invited,
        "restart_seconds": restart,
        "others_restricted": len(sure),
        "others_late_seconds": flowed,
        "held": len(doubted),
        "back_seconds": back if doubted else None,
        "peak_mib": memory,
        "log_kib": round(scene.estate.workers[0].log.stat().st_size / 1024, 1),
        "commands": [f"{one.words} → {one.code}" for one in scene.commands],
    }


def _favourable(
    scene: Scene, bound: dict[tuple[str, int], str], lifting: str, poison: Poison
) -> dict[str, float]:
    """Who is restricted is freed by an owner's grant or an operator's lift, also in doubt."""
    found = {}
    for (platform, number), key in bound.items():
        if poison.read or number != 0:
            found[f"granted {platform} {number}"] = scene.grants(key)
    scene.operator("control", "lift", lifting)
    began = time.monotonic()
    found["lift weibo 0"] = scene.lifted(lifting, began)
    return found


def _invited(scene: Scene, poison: Poison) -> float | None:
    """A new account of another platform is invited, unless nobody's adverse events may flow."""
    if poison.everybody:
        return None
    (key,) = scene.names("douyin", 1, 1)
    began = time.monotonic()
    scene.crosses(key)
    scene.wait(lambda: scene.having("invitation.issued", [key]), 60, "an invitation of another")
    return round(time.monotonic() - began, 2)


def day(
    bootstrap: str,
    chosen: Callable[[Poison], bool],
    keep: Callable[[list[dict[str, Any]]], None],
) -> list[dict[str, Any]]:
    """All chosen poisons, one after the other; a failed one says why under `failed`.

    `keep` takes what there is after each.
    """
    results: list[dict[str, Any]] = []
    for serial, poison in enumerate(one for one in POISONS if chosen(one)):
        with tempfile.TemporaryDirectory(prefix="poison-") as folder:
            try:
                result = perform(poison, bootstrap, Path(folder), serial)
            except Exception as error:
                result = {"poison": poison.name, "count": poison.count, "failed": repr(error)}
        print(f"{poison.name}: {result.get('failed', 'held')}", flush=True)
        results.append(result)
        keep(results)
    return results
