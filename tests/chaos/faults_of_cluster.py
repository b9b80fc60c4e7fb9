"""Changes of the cluster that a run goes on after: topics beside ours, and settings of ours.

What rightly stops workers, or holds adverse events back for good, is told in test_targeted.py.
"""

import time

from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
)

from tests.chaos.grounds import PREFIX
from tests.chaos.schedule import ScheduledFault
from tests.chaos.striking import Striking

SECONDS = 30.0


class ClusterFaults(Striking):
    """Mixed into `Faults`."""

    def _foreign_topic(self, fault: ScheduledFault) -> bool:
        """A topic that looks like ours comes, is widened, goes, and is made anew."""
        client, name = self._client(), f"{PREFIX}foreign-{fault.number % 3}"
        with self._topics_lock:
            for _ in range(2):
                self._settled(client.create_topics([NewTopic(name, 2, 1)]))
                time.sleep(0.5 + fault.seconds)
                self._settled(client.create_partitions([NewPartitions(name, 5)]))
                time.sleep(0.5 + fault.seconds)
                self._settled(client.delete_topics([name]))
                time.sleep(1)
        return True

    def _acks_anew(self, fault: ScheduledFault) -> bool:
        """The topic that only an index reads is deleted and made anew, with more partitions."""
        client, name = self._client(), f"{PREFIX}throttle-acks"
        with self._topics_lock:
            if name in client.list_topics(timeout=SECONDS).topics:
                self._settled(client.delete_topics([name]))
                time.sleep(1 + fault.seconds)
            self._settled(client.create_topics([NewTopic(name, 3 + fault.number % 9, 1)]))
        return True

    def _topic_settings(self, fault: ScheduledFault) -> bool:
        """Retention and segments of an input and an output are set otherwise, then put back."""
        client = self._client()
        for name in ("follower-counts", "consent-answers", "throttles"):
            for value in ("3600000", None):
                kind = AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET
                entry = ConfigEntry("segment.ms", value, incremental_operation=kind)
                resource = ConfigResource(
                    ConfigResource.Type.TOPIC, PREFIX + name, incremental_configs=[entry]
                )
                self._settled(client.incremental_alter_configs([resource]))
                time.sleep(0.3)
        return True

    def _client(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.site.kafka.bootstrap, "log_level": 2})

    @staticmethod
    def _settled(futures: dict) -> None:
        for future in futures.values():
            future.result(SECONDS)
