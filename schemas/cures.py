"""By reason of refusal, the change in a producer that prevents the next refusal.

Only for reasons whose cure is one setting of a client. The dead letter carries the sentence, so the
first one tells the producer's owner what to do. deploy/producers.md has every reason.
"""

from collections.abc import Mapping

from schemas.enums import Refused

CURES: Mapping[Refused, str] = {
    Refused.WRONG_PARTITION: (
        "the producer needs the partitioner of the Java client (murmur2)."
        " librdkafka (confluent-kafka, kcat, rdkafka): partitioner=murmur2_random."
        " kafka-go: Balancer: kafka.Murmur2Balancer{}."
        " KafkaJS 1: Partitioners.JavaCompatiblePartitioner."
        " More: deploy/producers.md, The partitioner"
    ),
}
"""Sentences in ASCII, the same for every record: they say nothing about it."""
