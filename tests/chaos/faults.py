"""What each fault does. Every one puts back what it took away; how it went is one line."""

import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from streams.engine.failpoints import POINTS
from tests.chaos.grounds import APPLICATION, PREFIX
from tests.chaos.schedule import HITS, SCALES, Fault
from tests.chaos.sending import Sender, wire_time
from tests.chaos.supervisor import Slot, Supervisor

HOUR = 3600
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


class Faults:
    """Strikes; one fault a worker at a time, brokers and whole fleet one at a time too."""

    def __init__(self, supervisor: Supervisor, sender: Sender) -> None:
        self.supervisor, self.sender = supervisor, sender
        self.site = supervisor.site
        self.done: Counter[str] = Counter()
        self.notes: list[str] = []
        self.struck_at: list[tuple[float, str]] = []
        self._busy = [threading.Lock() for _ in supervisor.slots]
        self._broker_lock = threading.Lock()
        self._fleet = threading.Lock()
        self._scaled = self._zombies = self._rolled = 0
        self.steps: Counter[str] = Counter()
        self._threads: list[threading.Thread] = []

    def strike(self, fault: Fault) -> None:
        """Begin a fault and return; `wait` waits for all that were begun."""
        thread = threading.Thread(target=self._guarded, args=(fault,), name=fault.kind, daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Until every fault is over."""
        for thread in self._threads:
            thread.join()

    def _guarded(self, fault: Fault) -> None:
        try:
            act: Callable[[Fault], bool] = getattr(self, "_" + fault.kind.replace(" ", "_"))
            began = time.time()
            if act(fault):
                self.done[fault.kind] += 1
                self.struck_at.append((began, fault.kind))
            else:
                self.notes.append(f"{fault.kind}: nobody to strike")
        except Exception as error:
            self.notes.append(f"{fault.kind}: {error!r}")

    def _victim(self, fault: Fault) -> Slot | None:
        """A running worker that no other fault has in its hands; its lock is then held."""
        slots = self.supervisor.slots
        for step in range(len(slots)):
            slot = slots[(fault.slot + step) % len(slots)]
            if slot.pid is not None and self._busy[slot.number].acquire(blocking=False):
                return slot
        return None

    def _with_victim(self, fault: Fault, act: Callable[[Slot], bool]) -> bool:
        slot = self._victim(fault)
        if slot is None:
            return False
        try:
            return act(slot)
        finally:
            self._busy[slot.number].release()

    def _anybody(self, fault: Fault) -> Slot | None:
        """A running worker, whatever else is being done to it: faults may meet in one process."""
        running = self.supervisor.running()
        return running[fault.slot % len(running)] if running else None

    def _kill(self, fault: Fault) -> bool:
        slot = self._anybody(fault)
        return slot is not None and self.supervisor.kill(slot)

    def _kill_twice(self, fault: Fault) -> bool:
        """And again while it starts, joins or recovers."""

        def act(slot: Slot) -> bool:
            self.supervisor.kill(slot)
            self.supervisor.wait_gone(slot)
            self._back(slot)
            time.sleep(2 + fault.seconds * 8)
            return self.supervisor.kill(slot, "kill in recovery")

        return self._with_victim(fault, act)

    def _kill_at_shutdown(self, fault: Fault) -> bool:
        slot = self._anybody(fault)
        if slot is None:
            return False
        self.supervisor.signal(slot, signal.SIGTERM, "kill at shutdown")
        time.sleep(fault.seconds * 0.8)
        self.supervisor.kill(slot, "kill at shutdown")
        return True

    def _kill_at_revoke(self, fault: Fault) -> bool:
        """A worker more or less: all others are revoked; one dies right then."""

        def act(slot: Slot) -> bool:
            wanted = sum(one.wanted for one in self.supervisor.slots)
            with self._fleet:
                self.supervisor.scale(wanted + 1 if wanted < 5 else 4)
                time.sleep(3 + fault.seconds * 6)
                self.supervisor.kill(slot, "kill at revoke")
                self.supervisor.scale(max(wanted, 2))
            return True

        return self._with_victim(fault, act)

    def _frozen(self, slot: Slot, seconds: float) -> bool:
        frozen = self.supervisor.signal(slot, signal.SIGSTOP)
        time.sleep(seconds)
        self.supervisor.signal(slot, signal.SIGCONT)
        return frozen

    def _freeze_short(self, fault: Fault) -> bool:
        seconds = (0.1 + 0.6 * fault.seconds) * self.site.session_seconds
        slot = self._anybody(fault)
        return slot is not None and self._frozen(slot, seconds)

    def _freeze_long(self, fault: Fault) -> bool:
        seconds = (1.2 + fault.seconds) * self.site.session_seconds
        return self._with_victim(fault, lambda slot: self._frozen(slot, seconds))

    def _scale(self, fault: Fault) -> bool:
        """1 → 3 → 5 → 2 → 3 by SIGTERM."""
        with self._fleet:
            self.supervisor.scale(SCALES[self._scaled % len(SCALES)])
            self._scaled += 1
            time.sleep(4)
        return True

    def _broker(self, fault: Fault) -> bool:
        """kill -9, and back after a moment."""
        number = fault.number % self.site.kafka.brokers
        return self._broker_away(number, 0.2 + 4 * fault.seconds, hard=True)

    def _broker_away(self, number: int, seconds: float, *, hard: bool) -> bool:
        if not self._broker_lock.acquire(blocking=False):
            return False
        try:
            kafka = self.site.kafka
            if hard:
                kafka.kill(number)
                time.sleep(seconds)
                kafka.start_broker(number)
            else:
                kafka.restart(number)
        finally:
            self._broker_lock.release()
        return True

    def _wipe(self, fault: Fault) -> bool:
        def act(slot: Slot) -> bool:
            with slot.lock:
                self.supervisor.kill(slot, "wiped")
                self.supervisor.wait_gone(slot)
                shutil.rmtree(self.site.disk(slot.number) / APPLICATION, ignore_errors=True)
            return True

        return self._with_victim(fault, act)

    def _old_disk(self, fault: Fault) -> bool:
        """Die, live on a while, die again, and come back with the disk of the first death."""

        def act(slot: Slot) -> bool:
            disk = self.site.disk(slot.number)
            kept = self.site.folder / f"kept-{fault.number}"
            with slot.lock:
                self.supervisor.kill(slot, "copied")
                self.supervisor.wait_gone(slot)
                shutil.copytree(disk / APPLICATION, kept)
            time.sleep(15 + 15 * fault.seconds)
            with slot.lock:
                self.supervisor.kill(slot, "old disk")
                self.supervisor.wait_gone(slot)
                shutil.rmtree(disk / APPLICATION, ignore_errors=True)
                shutil.move(kept, disk / APPLICATION)
            return True

        return self._with_victim(fault, act)

    def _disk_full(self, fault: Fault) -> bool:
        def act(slot: Slot) -> bool:
            filler = self.site.disk(slot.number) / "filler"
            try:
                with filler.open("wb", buffering=0) as file:
                    while True:
                        file.write(b"\0" * 1_000_000)
            except OSError:
                pass
            time.sleep(4 + 6 * fault.seconds)
            filler.unlink()
            return True

        return self._with_victim(fault, act)

    def _disk_slow(self, fault: Fault) -> bool:
        """Each write of one start takes its time: the loop hangs between commit and store."""

        def act(slot: Slot) -> bool:
            hit, seconds = 3 + int(20 * fault.seconds), 2 + 8 * fault.seconds
            with slot.lock:
                point = f"after-commit-before-store:sleep:{hit}:{seconds:.1f}"
                slot.extra = {"BYLINE_FAILPOINT": point}
                self.supervisor.kill(slot, "made slow")
                self.supervisor.wait_gone(slot)
            return True

        return self._with_victim(fault, act)

    def _unplugged(self, slot: Slot, seconds: float) -> bool:
        self.site.cable(slot.number, plugged=False)
        time.sleep(seconds)
        self.site.cable(slot.number, plugged=True)
        return True

    def _cable_short(self, fault: Fault) -> bool:
        seconds = (0.1 + 0.6 * fault.seconds) * self.site.session_seconds
        slot = self._anybody(fault)
        return slot is not None and self._unplugged(slot, seconds)

    def _cable_long(self, fault: Fault) -> bool:
        seconds = (1.2 + fault.seconds) * self.site.session_seconds
        return self._with_victim(fault, lambda slot: self._unplugged(slot, seconds))

    def _clock(self, fault: Fault) -> bool:
        """The clock jumps by an hour, and is set right when the worker has gone."""

        def act(slot: Slot) -> bool:
            offset = self.site.folder / f"clock-{slot.number}"
            offset.write_text("+0")
            with slot.lock:
                slot.extra = {
                    "LD_PRELOAD": FAKETIME,
                    "FAKETIME_TIMESTAMP_FILE": str(offset),
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                    "FAKETIME_NO_CACHE": "1",
                    "BYLINE_FAILPOINT": "after-store:kill:100000",
                }
                self.supervisor.kill(slot, "given a clock")
                self.supervisor.wait_gone(slot)
            self._back(slot)
            time.sleep(12 + 6 * fault.seconds)
            process = slot.process
            offset.write_text(f"{'+' if fault.seconds < 0.5 else '-'}{HOUR}")
            deadline = time.monotonic() + 15
            while slot.process is process and time.monotonic() < deadline:
                time.sleep(0.05)
            offset.write_text("+0")
            if slot.process is process:
                self.notes.append(f"clock: worker {slot.number} went on with a clock that jumped")
            return True

        return self._with_victim(fault, act)

    def _lost_offsets(self, fault: Fault) -> bool:
        """All stop, the group is deleted, all come back."""
        with self._fleet:
            wanted = sum(one.wanted for one in self.supervisor.slots)
            self.supervisor.stop_all()
            gone = self._delete_group()
            self.supervisor.scale(max(2, wanted))
        if not gone:
            self.notes.append("lost offsets: the group could not be deleted")
        return gone

    def _delete_group(self) -> bool:
        """Possible once the last member's session is over."""
        client = AdminClient({"bootstrap.servers": self.site.kafka.bootstrap, "log_level": 2})
        deadline = time.monotonic() + 4 * self.site.session_seconds
        while time.monotonic() < deadline:
            try:
                client.delete_consumer_groups([APPLICATION])[APPLICATION].result(10)
                return True
            except KafkaException:
                time.sleep(1)
        return False

    def _large_records(self, fault: Fault) -> bool:
        """Values up to what the topic takes: refused, and nothing more."""
        who = {"platform": "weibo", "account_id": f"large{fault.number}"}
        for size in (65_000, 66_000, 300_000, 900_000, 1_000_000):
            value = {**who, "answer": "granted", "occurred_at": wire_time(time.time())}
            self.sender.send("consent-answers", {**value, "note": "x" * size})
            reading = {**who, "followers": 1, "observed_at": wire_time(time.time())}
            self.sender.send("follower-counts", {**reading, "note": "x" * size})
        return True

    def _burst(self, fault: Fault) -> bool:
        """Everybody dies, and so much comes meanwhile that it does not fit into one batch."""
        with self._fleet:
            wanted = sum(one.wanted for one in self.supervisor.slots)
            self.supervisor.scale(0)
            for slot in self.supervisor.slots:
                self.supervisor.kill(slot, "burst")
            random = Random(fault.number)
            for number in range(12_000):
                name = f"b{fault.number}-{number}"
                now = time.time()
                who = {"platform": "bilibili", "account_id": name}
                label = {**who, "category": "财经", "observed_at": wire_time(now)}
                self.sender.send("category-changes", label)
                count = random.randrange(500_000, 2_000_000)
                self.sender.reading(f"bilibili:{name}", "bilibili", name, count, now)
            self.supervisor.scale(max(2, wanted))
        return True

    def _zombie_at_a_step(self, fault: Fault) -> bool:
        """It freezes in the middle of a step, is replaced, and wakes there."""

        def act(slot: Slot) -> bool:
            point = POINTS[self._zombies % len(POINTS)]
            self._zombies += 1
            hit = 1 if point in HITS else 2 + int(20 * fault.seconds)
            with slot.lock:
                slot.extra = {"BYLINE_FAILPOINT": f"{point}:stop:{hit}"}
                self.supervisor.kill(slot, "made a zombie")
                self.supervisor.wait_gone(slot)
            self._back(slot)
            if point == "on-revoke":
                time.sleep(6)
                self.supervisor.signal(slot, signal.SIGTERM, "zombie at a step")
            stopped = self._stopped(slot, 25)
            if stopped:
                time.sleep((1.2 + fault.seconds) * self.site.session_seconds)
                self.steps[point] += 1
            self.supervisor.signal(slot, signal.SIGCONT)
            return stopped

        return self._with_victim(fault, act)

    def _stopped(self, slot: Slot, seconds: float) -> bool:
        """Whether the process comes to a halt of its own in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                state = Path(f"/proc/{slot.pid}/stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                return False
            if state == "T":
                return True
            time.sleep(0.05)
        return False

    def _coordinator(self, fault: Fault) -> bool:
        """kill -9 of the broker that coordinates the group."""
        client = AdminClient({"bootstrap.servers": self.site.kafka.bootstrap, "log_level": 2})
        group = client.describe_consumer_groups([APPLICATION])[APPLICATION].result(20)
        return self._broker_away(group.coordinator.id - 1, 1 + 5 * fault.seconds, hard=True)

    def _broker_stop(self, fault: Fault) -> bool:
        """One broker in a rolling restart."""
        self._rolled += 1
        number = self._rolled % self.site.kafka.brokers
        return self._broker_away(number, 0.2, hard=False)

    def _narrow_topic(self, fault: Fault) -> bool:
        """An output topic refuses all but the smallest batches for a while."""
        name = f"{PREFIX}{'shadow.' if fault.seconds < 0.5 else ''}invitations"
        kafka = {"bootstrap.servers": self.site.kafka.bootstrap, "log_level": 2}
        client = AdminClient(kafka)
        for limit in ("300", "1048588"):
            entry = ConfigEntry(
                "max.message.bytes", limit, incremental_operation=AlterConfigOpType.SET
            )
            resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[entry])
            client.incremental_alter_configs([resource])[resource].result(20)
            time.sleep(1 if limit == "300" else 0)
        return True

    def _back(self, slot: Slot, seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while slot.pid is None and time.monotonic() < deadline:
            time.sleep(0.05)
