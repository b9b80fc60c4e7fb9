"""Every fault of start and login that is tried, and how worker and verb have to end of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.cli.fault_ground import FaultGround, certificates

CHECK = ("topics", "check")
Settings = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CliFault:
    """What is wrong, and how a worker and a verb have to end of it.

    `words` are in the sentence of both, `verb_words` in the verb's alone where it has others. None
    as a code: not tried, it is no fault to that one. `lacking`: kinds, names and operations of
    rights that the user does not have. `obey_modes`: without root's way past the modes of files.
    """

    name: str
    words: str
    settings: Settings
    worker: int | None = 2
    verb: tuple[str, ...] = CHECK
    verb_code: int | None = 2
    verb_words: str = ""
    verb_user: str = "administrator"
    obey_modes: bool = False
    lacking: tuple[tuple[str, str, str], ...] = ()
    text: str = ""


def _tls(**more: str) -> dict[str, str]:
    return {f"BYLINE_KAFKA_SSL_{name.upper()}": value for name, value in more.items()}


def _password(file: str) -> dict[str, str]:
    return {"BYLINE_KAFKA_SASL_PASSWORD": "", "BYLINE_KAFKA_SASL_PASSWORD_FILE": file}


def files(on: FaultGround) -> Iterator[CliFault]:
    """Faults that no Kafka is needed for: they are found before anything is connected."""
    unreadable = "is not a file that can be read"
    yield CliFault("password file missing", unreadable, _password("/nowhere/password"))
    closed = on.file("closed", b"secret", 0o000)
    yield CliFault("password file unreadable", unreadable, _password(closed), obey_modes=True)
    yield CliFault("password file is a pipe", unreadable, _password(on.pipe("password-pipe")))
    yield CliFault("password file empty", "is empty", _password(on.file("empty")))
    yield CliFault(
        "password file of two lines", "a secret is one", _password(on.file("two", b"a\nb"))
    )
    noise = on.file("noise.pem", b"\x00\xff no certificate")
    yield CliFault("CA file without a certificate", "holds no certificate", _tls(cafile=noise))
    own = certificates(on)
    pair = _tls(certfile=own["certfile"], keyfile=own["keyfile"])
    yield CliFault(
        "certificate file without one", "holds no certificate", {**pair, **_tls(certfile=noise)}
    )
    yield CliFault("key file without a key", "holds no key", {**pair, **_tls(keyfile=noise)})
    other = _tls(keyfile=own["other_keyfile"])
    yield CliFault("key of another certificate", "is the key of another", {**pair, **other})
    locked = {**pair, **_tls(keyfile=own["locked"])}
    yield CliFault("passphrase missing", "its passphrase is missing", locked)
    wrong = {**locked, **_tls(key_passphrase="close-sesame")}
    yield CliFault("passphrase wrong", "it does not open", wrong)
    over = _tls(certfile=own["over"], keyfile=own["over_key"])
    yield CliFault("our certificate expired", "has expired", over)
    piped = on.policies_with("policies-with-a-pipe")
    on.pipe("policies-with-a-pipe/zhihu.yaml")
    send = ("send", "controls", "--dry-run")
    name = "BYLINE_POLICIES"
    yield CliFault("pipe among the policies", "this is a pipe", {name: str(piped)}, verb=send)
    shut = on.policies_with("policies-unreadable")
    (shut / "weibo.yaml").chmod(0o000)
    settings = {name: str(shut)}
    words = "cannot be read"
    yield CliFault("policy unreadable", words, settings, verb=send, obey_modes=True)
    yield CliFault("policies missing", "is not a directory", {name: "/nowhere"}, verb=send)
    kept = on.folder / "kept"
    kept.mkdir(exist_ok=True)
    kept.chmod(0o500)
    start = ("kafka", "start")
    data = {"BYLINE_DATA_DIR": str(kept / "data")}
    words = "cannot write to"
    yield CliFault("DATA_DIR not writable", words, data, verb=start, obey_modes=True)
    file = {"BYLINE_DATA_DIR": on.file("a-file")}
    yield CliFault("DATA_DIR is a file", words, file, verb=start)
    abroad = {"BYLINE_HTTP_HOST": "192.0.2.1"}
    yield CliFault("HTTP_HOST of another machine", "no free port", abroad, verb_code=None)


def logins(on: FaultGround) -> Iterator[CliFault]:
    """Faults of address, TLS and login."""
    kafka, own = on.kafka, certificates(on)
    refused = "refuses the login of"
    protocol, servers = "BYLINE_KAFKA_SECURITY_PROTOCOL", "BYLINE_KAFKA_BOOTSTRAP_SERVERS"
    bare = {
        name: ""
        for name in kafka.environment("worker")
        if "_SASL_" in name or "_SSL_" in name or "PROTOCOL" in name
    }
    without_login = {name: "" for name in bare if "_SASL_" in name}
    yield CliFault("wrong password", refused, {"BYLINE_KAFKA_SASL_PASSWORD": "wrong"})
    yield CliFault("unknown user", refused, {"BYLINE_KAFKA_SASL_USERNAME": "nobody"})
    mechanism = {"BYLINE_KAFKA_SASL_MECHANISM": "PLAIN"}
    yield CliFault("mechanism that is not offered", "knows no login by PLAIN", mechanism)
    untrusted = "is not to be trusted"
    yield CliFault("broker's certificate expired", "expired", {servers: kafka.address("EXPIRED")})
    there = {servers: kafka.address("ELSEWHERE")}
    yield CliFault("broker's certificate of another host", "mismatch", there)
    yield CliFault("broker's certificate of an unknown CA", untrusted, _tls(cafile=own["other_ca"]))
    yield CliFault("no CA named, and it is a private one", untrusted, _tls(cafile=""))
    plain, login = kafka.plain, kafka.address()
    yield CliFault("TLS to a port without TLS", "talks without TLS", {servers: plain})
    yield CliFault("no TLS to a port with TLS", "talks TLS only", {**bare, servers: login})
    no_login = {**bare, servers: kafka.address("BARELOGIN")}
    yield CliFault("no login where one is wanted", "wants a login (SCRAM-SHA-512)", no_login)
    ssl = {**without_login, protocol: "SSL"}
    yield CliFault("TLS, but no login where one is wanted", "wants a login (SCRAM-SHA-512)", ssl)
    sasl = {protocol: "SASL_PLAINTEXT", servers: plain, **_tls(cafile="")}
    yield CliFault("login where none is wanted", "wants no login", sasl)
    mutual = {**ssl, servers: kafka.address("MUTUAL")}
    yield CliFault("no certificate where one is wanted", "does not take our certificate", mutual)
    stranger = {**mutual, **_tls(certfile=own["stranger"], keyfile=own["stranger_key"])}
    yield CliFault("certificate of an unknown CA", "does not take our certificate", stranger)
    web = f"127.0.0.1:{on.ports['web']}"
    yield CliFault("a web server, without TLS", "a web server answers", {**bare, servers: web})
    yield CliFault("a web server, with TLS", "a web server answers", {servers: web})
    silent = {**bare, servers: f"127.0.0.1:{on.ports['silent']}"}
    yield CliFault(
        "a port that says nothing", "takes connections and says nothing", silent, worker=70
    )
    nobody = {servers: f"127.0.0.1:{on.ports['nobody']}"}
    yield CliFault("nobody listens", "connection refused", nobody, worker=70)
    unknown = {servers: "kafka.invalid:9092"}
    yield CliFault("unknown host", "no address is known", unknown, worker=70)


def rights(on: FaultGround) -> Iterator[CliFault]:
    """Rights that a user lacks, and topics that are not there."""
    who = {"BYLINE_KAFKA_SASL_USERNAME": "notifier", "BYLINE_KAFKA_SASL_PASSWORD": "right-notifier"}
    yield CliFault("no right at all", "no right to", who, verb_words="no right to see it")
    yield CliFault(
        "no right to write throttles",
        "no right to Write byline.throttles",
        {},
        lacking=(("topic", "byline.throttles", "Write"),),
        verb_code=None,
    )
    group = (("group", "byline", "Read"),)
    words = "no right to Read the group byline"
    yield CliFault("no right to the group", words, {}, lacking=group, verb_code=None)
    fence = (("transactional-id", "byline-", "Write"),)
    words = "no right to Write the transactional id"
    yield CliFault("no right to transactional ids", words, {}, lacking=fence, verb_code=None)
    elsewhere = {"BYLINE_TOPIC_PREFIX": "byline.elsewhere."}
    yield CliFault(
        "topics under another prefix", "no right to", elsewhere, verb_code=1, verb_words="missing"
    )
    said = ("weibo:a1", "--actor", "op.1", "--reason", "incident")
    turn = ("--scope", "weibo", "--actor", "op.1", "--reason", "incident")
    reading = '{"platform": "weibo", "account_id": "a1", "followers": 1, "observed_at": "%s"}'
    for verb, user, topic, operation, text in (
        (
            ("send", "follower-counts"),
            "platform",
            "byline.follower-counts",
            "Write",
            reading % "2026-01-01T00:00:00Z",
        ),
        (("control", "hold", *said), "operator", "byline.controls", "Write", ""),
        (("switch", "adverse-off", "on", *turn), "operator", "byline.switches", "Write", ""),
        (("switch", "list"), "operator", "byline.switches", "Read", ""),
        (("worklist", "pending"), "operator", "byline-accounts-changelog", "Read", ""),
        (("statement", "an-event"), "operator", "byline.throttles", "Read", ""),
        (("audit",), "auditor", "byline.decisions", "Read", ""),
    ):
        yield CliFault(
            f"no right to {operation} {topic}",
            f"no right to {operation} {topic}",
            {},
            worker=None,
            verb=verb,
            verb_user=user,
            lacking=(("topic", topic, operation),),
            text=text,
        )


FAULTS: tuple[Callable[[FaultGround], Iterator[CliFault]], ...] = (files, logins, rights)
