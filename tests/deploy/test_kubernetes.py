"""deploy/kubernetes: built by kustomize, held to the schemas of Kubernetes and to Byline's own."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from streams.console.sessions import KEY_FILE
from streams.operate.acl import permissions
from streams.settings import Settings, load
from tests.deploy.generated import stale
from tests.deploy.kinds import DEPLOY, IMAGE, documents, refuse_unknown_words, run, settings_in
from tests.support.parts import program

KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = ("development", "production", "console", "console-oidc")
VERSIONS = ("1.30", "1.33", "1.37")


@cache
def built(overlay: str) -> list[Any]:
    """What an overlay comes to."""
    done = run(program("kustomize"), "build", KUBERNETES / overlay)
    assert (done.returncode, done.stderr) == (0, "")
    return documents(done.stdout)


def written() -> Iterator[Any]:
    """The resources of the base, as they stand in its files."""
    for path in sorted((KUBERNETES / "base").glob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from documents(path)


def pods(resources: list[Any]) -> Iterator[tuple[str, Any]]:
    """Each name with its pod template's spec."""
    for it in resources:
        if it["kind"] in ("StatefulSet", "Deployment"):
            yield it["metadata"]["name"], it["spec"]["template"]["spec"]


BASE = list(written())
PODS = dict(pods(BASE))


def test_what_is_generated_is_up_to_date() -> None:
    assert stale() == [], "python -m tests.deploy.generated --write"


@pytest.mark.part("kustomize")
@pytest.mark.part("kubernetes-validate")
@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.slow
def test_each_overlay_holds_to_the_schemas_of_kubernetes(overlay: str, tmp_path: Path) -> None:
    custom = "monitoring.coreos.com"
    resources = [it for it in built(f"overlays/{overlay}") if custom not in it["apiVersion"]]
    assert len(resources) > 10
    file = tmp_path / "all.yaml"
    done = run(program("kustomize"), "build", KUBERNETES / "overlays" / overlay)
    kept = [it for it in done.stdout.split("\n---\n") if custom not in it.splitlines()[0]]
    file.write_text("\n---\n".join(kept))
    for version in VERSIONS:
        words = ("--strict", "--kubernetes-version", version, file)
        done = run(program("kubernetes-validate"), *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (done.stdout + done.stderr).count("passed for resource") == len(resources)


@pytest.mark.part("kustomize")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_volume_that_is_mounted_is_there_and_every_image_has_its_version(
    overlay: str,
) -> None:
    for name, pod in pods(built(f"overlays/{overlay}")):
        (container,) = pod["containers"]
        mounted = {it["name"] for it in container["volumeMounts"]}
        there = {it["name"] for it in pod["volumes"]} | {"data"}
        assert mounted <= there, name
        assert IMAGE.fullmatch(container["image"]), name


@pytest.mark.part("kustomize")
def test_in_production_each_logs_in_as_its_own_role() -> None:
    users = {}
    for name, pod in pods(built("overlays/production")):
        values = {it["name"]: it.get("value") for it in pod["containers"][0]["env"]}
        (login,) = [it for it in pod["volumes"] if it["name"] == "login"]
        users[name] = values["BYLINE_KAFKA_SASL_USERNAME"]
        assert login["secret"]["secretName"] == users[name]
    assert users == {
        "byline-worker": "byline-worker",
        "byline-index": "byline-indexer",
        "byline-auditor": "byline-auditor",
    }
    roles = {f"byline-{it.role}" for it in permissions(Settings())}
    assert set(users.values()) <= roles


@pytest.mark.part("kustomize")
def test_the_console_logs_in_as_its_role_and_signs_with_one_key_on_the_database_of_the_index() -> (
    None
):
    resources = built("overlays/console")
    found = dict(pods(resources))
    console, index = found["byline-console"], found["byline-index"]
    (container,) = console["containers"]
    env = {it["name"]: it for it in container["env"]}
    assert env["BYLINE_KAFKA_SASL_USERNAME"]["value"] == "byline-console"
    assert "byline-console" in {f"byline-{it.role}" for it in permissions(Settings())}
    same = [it for it in index["containers"][0]["env"] if it["name"] == "BYLINE_DATABASE"]
    assert same == [env["BYLINE_DATABASE"]]
    (key,) = [it for it in container["volumeMounts"] if it["name"] == "key"]
    assert key["mountPath"] == f"{env['BYLINE_DATA_DIR']['value']}/byline/{KEY_FILE}"
    refuse_unknown_words(container["args"])
    settings_in([it["name"] for it in container["env"]])
    ports = {it["name"] for it in container["ports"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] in ports
    policies = {it["metadata"]["name"]: it["spec"] for it in resources if "Policy" in it["kind"]}
    (entry,) = policies["byline-to-the-console"]["ingress"]
    assert entry["from"] == [{"podSelector": {"matchLabels": {"byline-console-proxy": "true"}}}]
    (database,) = policies["byline-to-the-database"]["podSelector"]["matchExpressions"]
    assert database["values"] == ["index", "console"]


@pytest.mark.part("kustomize")
def test_the_console_asks_its_provider_by_settings_that_fit_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = built("overlays/console-oidc")
    pod = dict(pods(resources))["byline-console"]
    (container,) = pod["containers"]
    env = {it["name"]: it.get("value") for it in container["env"]}
    settings_in(env)
    mounts = {it["name"]: it["mountPath"] for it in container["volumeMounts"]}
    assert env["BYLINE_OIDC_CLIENT_SECRET_FILE"] == f"{mounts['oidc']}/secret"
    (tmp_path / "secret").write_text("s\n")
    monkeypatch.setenv("BYLINE_OIDC_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    for name in ("BYLINE_CONSOLE_ADDRESS", "BYLINE_OIDC_ISSUER", "BYLINE_OIDC_CLIENT_ID"):
        monkeypatch.setenv(name, env[name])
    assert load().oidc_claim == "sub"
    policies = {it["metadata"]["name"]: it["spec"] for it in resources if "Policy" in it["kind"]}
    (entry,) = policies["byline-to-the-provider"]["egress"]
    assert [it["port"] for it in entry["ports"]] == [443]
    labels = next(
        it["spec"]["template"]["metadata"]["labels"]
        for it in resources
        if it["kind"] == "Deployment" and it["metadata"]["name"] == "byline-console"
    )
    for name in ("byline-to-the-provider", "byline-from-the-ingress"):
        assert policies[name]["podSelector"]["matchLabels"].items() <= labels.items()


@pytest.mark.part("kustomize")
def test_the_topics_and_users_are_apart_from_the_rest() -> None:
    kinds = {it["kind"] for it in built("kafka")}
    assert kinds == {"KafkaTopic", "KafkaUser"}
    for overlay in OVERLAYS:
        assert not kinds & {it["kind"] for it in built(f"overlays/{overlay}")}


def test_worker_index_and_auditor_are_there() -> None:
    assert set(PODS) == {"byline-worker", "byline-index", "byline-auditor"}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_restricted_and_can_write_nowhere_but_to_its_volume(name: str) -> None:
    """Kubernetes' own list of what `restricted` means, and a read-only root beside it."""
    pod = PODS[name]
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] >= 10_000
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert {key for it in pod["volumes"] for key in it} <= {"name", "emptyDir", "secret"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (pod["enableServiceLinks"], pod["automountServiceAccountToken"]) == (False, False)
    assert container["resources"]["limits"].keys() >= {"memory"}
    assert container["resources"]["requests"].keys() >= {"cpu", "memory"}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_runs_what_byline_knows_and_is_probed_where_it_listens(name: str) -> None:
    (container,) = PODS[name]["containers"]
    refuse_unknown_words(container["args"])
    settings_in([it["name"] for it in container["env"]])
    ports = {it["name"] for it in container["ports"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] in ports
    start, live = container["startupProbe"], container["livenessProbe"]
    # A slow start is not a death.
    assert start["periodSeconds"] * start["failureThreshold"] >= 2 * (
        live["periodSeconds"] * live["failureThreshold"]
    )


def test_a_worker_keeps_its_name_and_its_disk_and_goes_one_at_a_time() -> None:
    (worker,) = [it for it in BASE if it["kind"] == "StatefulSet" and "worker" in str(it)]
    env = {it["name"]: it for it in PODS["byline-worker"]["containers"][0]["env"]}
    name = env["BYLINE_INSTANCE_ID"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert name == "metadata.name"
    assert env["BYLINE_DATA_DIR"]["value"].startswith("/var/lib/byline/")
    assert worker["spec"]["volumeClaimTemplates"][0]["metadata"]["name"] == "data"
    (budget,) = [it for it in BASE if it["kind"] == "PodDisruptionBudget"]
    assert budget["spec"]["maxUnavailable"] == 1
    labels = worker["spec"]["template"]["metadata"]["labels"]
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_every_service_is_one_that_prometheus_finds_under_the_job_of_the_rules() -> None:
    (monitor,) = documents(KUBERNETES / "monitoring" / "service-monitor.yaml")
    wanted = monitor["spec"]["selector"]["matchLabels"]
    all_of_them = [*BASE, *documents(KUBERNETES / "console" / "console.yaml")]
    services = {it["metadata"]["name"]: it for it in all_of_them if it["kind"] == "Service"}
    for it in services.values():
        assert wanted.items() <= it["metadata"]["labels"].items()
        assert {port["name"] for port in it["spec"]["ports"]} == {"http"}
    (config,) = documents(DEPLOY / "prometheus" / "prometheus.yaml")
    assert {job["job_name"] for job in config["scrape_configs"]} == set(services)


@pytest.mark.part("kustomize")
def test_prometheus_reaches_every_pod_whose_service_it_finds() -> None:
    resources = built("overlays/console")
    (entry,) = [it for it in resources if it["metadata"]["name"] == "byline-from-prometheus"]
    reached = entry["spec"]["podSelector"]["matchLabels"].items()
    (rule,) = entry["spec"]["ingress"]
    assert [it["port"] for it in rule["ports"]] == ["http"]
    found = set()
    for it in resources:
        if it["kind"] in ("StatefulSet", "Deployment"):
            template = it["spec"]["template"]
            assert reached <= template["metadata"]["labels"].items()
            (container,) = template["spec"]["containers"]
            assert [port["name"] for port in container["ports"]] == ["http"]
            found.add(it["metadata"]["name"])
    services = {it["metadata"]["name"] for it in resources if it["kind"] == "Service"}
    assert found == services
    assert "byline-console" in found


def test_nothing_reaches_a_pod_or_leaves_it_that_is_not_named() -> None:
    policies = {it["metadata"]["name"]: it["spec"] for it in BASE if it["kind"] == "NetworkPolicy"}
    assert policies["byline-nothing-else"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    for spec in policies.values():
        for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
            assert rule["ports"]
            assert rule.get("from") or rule.get("to")


def closed(schema: Any) -> Any:
    """A schema that refuses what it does not name, as `kubectl apply --validate=strict` does."""
    if isinstance(schema, dict):
        if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
        for it in schema.values():
            closed(it)
    elif isinstance(schema, list):
        for it in schema:
            closed(it)
    return schema


@pytest.mark.part("strimzi-crd")
@pytest.mark.parametrize("kind", ["KafkaTopic", "KafkaUser"])
@pytest.mark.slow
def test_topics_and_users_hold_to_the_definitions_of_strimzi(kind: str) -> None:
    (definition,) = documents(run(program("strimzi-crd"), kind).stdout)
    versions = {
        it["name"]: it["schema"]["openAPIV3Schema"] for it in definition["spec"]["versions"]
    }
    file = {"KafkaTopic": "topics.yaml", "KafkaUser": "users.yaml"}[kind]
    resources = documents(KUBERNETES / "kafka" / file)
    version = resources[0]["apiVersion"].partition("/")[2]
    schema = closed(versions[version])
    schema["properties"]["metadata"] = {"type": "object"}
    check = jsonschema.Draft202012Validator(schema)
    for it in resources:
        assert [fault.message for fault in check.iter_errors(it)] == []
    resources[0]["spec"]["surplus"] = 1
    assert [fault.message for fault in check.iter_errors(resources[0])]


@pytest.mark.part("prometheus-operator-validate")
@pytest.mark.slow
def test_monitor_and_rules_hold_to_the_definitions_of_the_operator(tmp_path: Path) -> None:
    folder, file = KUBERNETES / "monitoring", tmp_path / "resources.json"
    resources = [
        it
        for name in ("service-monitor.yaml", "prometheus-rule.yaml")
        for it in documents(folder / name)
    ]
    file.write_text(json.dumps(resources))
    done = run(program("prometheus-operator-validate"), file)
    assert (done.returncode, done.stderr) == (0, "")
    resources[0]["spec"]["endpoints"][0]["interval"] = 15
    file.write_text(json.dumps(resources))
    done = run(program("prometheus-operator-validate"), file)
    assert (done.returncode, "interval" in done.stderr) == (1, True)
