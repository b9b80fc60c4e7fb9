"""Makes the engine's configuration from the settings, for a worker and for tools without Faust."""

from schemas.topics import DECISIONS
from streams.engine.config import EngineConfig
from streams.instance import Instance
from streams.settings import Settings, kafka_security


def engine_config(settings: Settings, instance: Instance) -> EngineConfig:
    """Makes the engine's configuration from the settings."""
    return EngineConfig(
        application_id=settings.application_id,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        data_dir=instance.folder,
        instance_id=instance.instance_id,
        security=kafka_security(settings),
        session_timeout_seconds=settings.session_timeout_seconds,
        heartbeat_interval_seconds=min(2.0, settings.session_timeout_seconds / 3),
        transaction_timeout_seconds=settings.session_timeout_seconds + 2,
        commit_interval_seconds=settings.commit_interval_seconds,
        broker_wait_seconds=settings.start_timeout_seconds,
        failpoint=settings.failpoint,
        partitions=settings.partitions,
        favourable_only=settings.favourable_only,
        compressed_topics=frozenset({f"{settings.topic_prefix}{DECISIONS.name}"}),
    )
