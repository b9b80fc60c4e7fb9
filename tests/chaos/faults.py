"""What each fault does. Every one puts back what it took away; how it went is one line.

Here are those that strike all workers, the brokers or the topics; beside it those of one process,
of what it stands on, of its requests and of the cluster's topics.
"""

import time
from random import Random

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from tests.chaos.faults_of_cluster import ClusterFaults
from tests.chaos.faults_of_matter import MatterFaults
from tests.chaos.faults_of_wire import WireFaults
from tests.chaos.faults_of_workers import WorkerFaults
from tests.chaos.grounds import APPLICATION, PREFIX
from tests.chaos.schedule import SCALES, ScheduledFault
from tests.chaos.sending import wire_time


class Faults(WorkerFaults, MatterFaults, WireFaults, ClusterFaults):
    """All kinds; `strike` one, `wait` for those that were struck."""

    def _scale(self, fault: ScheduledFault) -> bool:
        """1 → 3 → 5 → 2 → 3 by SIGTERM."""
        with self._fleet:
            self.supervisor.scale(SCALES[self._scaled % len(SCALES)])
            self._scaled += 1
            time.sleep(4)
        return True

    def _broker(self, fault: ScheduledFault) -> bool:
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

    def _coordinator(self, fault: ScheduledFault) -> bool:
        """kill -9 of the broker that coordinates the group."""
        client = AdminClient({"bootstrap.servers": self.site.kafka.bootstrap, "log_level": 2})
        group = client.describe_consumer_groups([APPLICATION])[APPLICATION].result(20)
        return self._broker_away(group.coordinator.id - 1, 1 + 5 * fault.seconds, hard=True)

    def _broker_stop(self, fault: ScheduledFault) -> bool:
        """One broker in a rolling restart."""
        self._rolled += 1
        number = self._rolled % self.site.kafka.brokers
        return self._broker_away(number, 0.2, hard=False)

    def _lost_offsets(self, fault: ScheduledFault) -> bool:
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

    def _large_records(self, fault: ScheduledFault) -> bool:
        """Values up to what the topic takes: refused, and nothing more."""
        who = {"platform": "weibo", "account_id": f"large{fault.number}"}
        for size in (65_000, 66_000, 300_000, 900_000, 1_000_000):
            value = {**who, "answer": "granted", "occurred_at": wire_time(time.time())}
            self.sender.send("consent-answers", {**value, "note": "x" * size})
            reading = {**who, "followers": 1, "observed_at": wire_time(time.time())}
            self.sender.send("follower-counts", {**reading, "note": "x" * size})
        return True

    def _burst(self, fault: ScheduledFault) -> bool:
        """Everybody dies, and so much comes meanwhile that it does not fit into one batch.

        Each is invited once and then waits for a receipt: no storm of lives for ever after.
        """
        with self._fleet:
            wanted = sum(one.wanted for one in self.supervisor.slots)
            self.supervisor.scale(0)
            for slot in self.supervisor.slots:
                self.supervisor.kill(slot, "burst")
            random = Random(fault.number)
            for number in range(12_000):
                name = f"b{fault.number}-{number}"
                now = time.time()
                who = {"platform": "weibo", "account_id": name}
                label = {**who, "category": "财经", "observed_at": wire_time(now)}
                self.sender.send("category-changes", label)
                count = random.randrange(500_000, 2_000_000)
                self.sender.reading(f"weibo:{name}", "weibo", name, count, now)
            self.supervisor.scale(max(2, wanted))
        return True

    def _narrow_topic(self, fault: ScheduledFault) -> bool:
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
