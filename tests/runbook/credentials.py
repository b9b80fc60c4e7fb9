"""A Kafka with TLS, SCRAM and ACLs under a page, and what rotates."""

from streams.operate.acl import permissions
from streams.settings import Settings
from tests.runbook.ground import Ground
from tests.tls.certificates import Authority
from tests.tls.cluster import PASSWORD, GuardedKafka


def with_tls_and_login(ground: Ground) -> None:
    """Another broker in place of the first, with the rights of `byline topics acl`."""
    named = Settings(application_id=ground.name, topic_prefix=f"{ground.name}.")
    granted = permissions(named)
    roles = tuple(dict.fromkeys(it.role for it in granted))
    kafka = GuardedKafka(ground.folder / "guarded", users=roles, brief=True)
    ground.also = kafka.cluster
    kafka.__enter__()
    kafka.allow(granted)
    ground.address = kafka.address()
    (ground.etc / "ca.pem").write_bytes(kafka.authority.cafile.read_bytes())
    for role in ("worker", "administrator"):
        (ground.etc / f"{role}-password").write_text(PASSWORD.format(user=role))
    ground.settings(
        BYLINE_KAFKA_BOOTSTRAP_SERVERS=ground.address,
        BYLINE_KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        BYLINE_KAFKA_SASL_MECHANISM="SCRAM-SHA-512",
        BYLINE_KAFKA_SASL_USERNAME="worker",
        BYLINE_KAFKA_SASL_PASSWORD_FILE=str(ground.etc / "worker-password"),
        BYLINE_KAFKA_SSL_CAFILE=str(ground.etc / "ca.pem"),
    )
    _admin_properties(ground)
    # The administrator's login makes the topics; the settings of byline.env are the worker's.
    own = f"BYLINE_KAFKA_SASL_USERNAME=administrator BYLINE_KAFKA_SASL_PASSWORD={PASSWORD}"
    words = f"unset BYLINE_KAFKA_SASL_PASSWORD_FILE; {own.format(user='administrator')}"
    done = ground.run(f"{words} byline topics create --partitions 4")
    assert done.code == 0, done.output


def _admin_properties(ground: Ground) -> None:
    module = "org.apache.kafka.common.security.scram.ScramLoginModule required"
    login = f'{module} username="admin" password="{PASSWORD.format(user="admin")}";'
    lines = [
        "security.protocol=SASL_SSL",
        "sasl.mechanism=SCRAM-SHA-512",
        f"sasl.jaas.config={login}",
        "ssl.truststore.type=PEM",
        f"ssl.truststore.location={ground.etc / 'ca.pem'}",
    ]
    (ground.etc / "admin.properties").write_text("\n".join(lines) + "\n")


def new_authority(ground: Ground) -> None:
    """The authority that is to sign the brokers' next certificates."""
    made = Authority(ground.folder / "next-authority", "next")
    (ground.etc / "ca-next.pem").write_bytes(made.cafile.read_bytes())
