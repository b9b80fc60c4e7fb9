"""deploy/compose.yaml: as Compose itself reads it, and as the rest of the project has it."""

import os
import re
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from streams.index.database import url_of
from streams.settings import Settings
from tests.deploy.kinds import DEPLOY, IMAGE, documents, refuse_unknown_words, run, settings_in
from tests.support.parts import program

FILE = DEPLOY / "compose.yaml"
(COMPOSE,) = documents(FILE)
SERVICES = COMPOSE["services"]
OURS = {name: it for name, it in SERVICES.items() if it["image"].startswith("byline:")}
WORKERS = {name: it for name, it in OURS.items() if it["command"] == ["worker"]}


@pytest.mark.part("docker-compose")
def test_compose_itself_reads_it_and_says_nothing() -> None:
    done = run(program("docker-compose"), "--file", FILE, "config", "--quiet")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_all_that_belongs_together_is_there() -> None:
    assert len(WORKERS) == 3
    assert {"kafka", "index", "console", "auditor", "prometheus", "grafana"} <= SERVICES.keys()
    for it in OURS.values():
        refuse_unknown_words(it["command"])
        settings_in(it["environment"])


def test_each_worker_has_a_name_and_a_disk_of_its_own() -> None:
    names = {it["environment"]["BYLINE_INSTANCE_ID"] for it in WORKERS.values()}
    disks = {volume for it in WORKERS.values() for volume in it["volumes"] if "/lib/" in volume}
    assert (len(names), len(disks)) == (3, 3)


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"kafka"}))
def test_a_container_can_write_nowhere_but_to_its_volume(name: str) -> None:
    it = SERVICES[name]
    assert (it["read_only"], it["cap_drop"]) == (True, ["ALL"])
    assert it["security_opt"] == ["no-new-privileges:true"]


def test_images_are_named_by_exact_version_and_a_digest_that_is_given() -> None:
    for name, it in SERVICES.items():
        short, _, digest = it["image"].partition("${")
        assert IMAGE.fullmatch(short), name
        assert name in OURS or re.fullmatch(r"[A-Z]+_DIGEST:-}", digest), name


def test_every_port_is_of_this_machine_alone() -> None:
    ports = [port for it in SERVICES.values() for port in it.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_prometheus_looks_at_what_runs() -> None:
    (config,) = documents(DEPLOY / "prometheus" / "prometheus.yaml")
    targets = {
        target
        for job in config["scrape_configs"]
        for static in job["static_configs"]
        for target in static["targets"]
    }
    hosts = {target.partition(":")[0] for target in targets}
    assert {*WORKERS, "index", "console", "auditor"} <= hosts <= SERVICES.keys()


def test_the_console_is_on_the_file_that_the_index_writes_and_takes_tokens_of_the_host_alone() -> (
    None
):
    console, index = SERVICES["console"], SERVICES["index"]
    (written,) = [it for it in index["volumes"] if it.startswith("index:")]
    (read,) = [it for it in console["volumes"] if it.startswith("index:")]
    folders = [it.partition(":")[2] for it in (written, read)]
    data = re.search(r"BYLINE_DATA_DIR=(\S+)", (DEPLOY / "Containerfile").read_text())
    assert data is not None
    settings = Settings.model_construct(data_dir=Path(data[1]), application_id="byline")
    file = (url_of(settings).database or "").replace(folders[0], folders[1])
    assert console["environment"]["BYLINE_DATABASE"] == f"sqlite:///{file}"
    assert console["depends_on"]["index"] == {"condition": "service_healthy"}
    peers = dict(zip(console["command"], console["command"][1:], strict=False))
    (net,) = COMPOSE["networks"]["default"]["ipam"]["config"]
    assert ip_network(peers["--token-peer"]) == ip_network(net["gateway"])
    assert ip_address(net["gateway"]) in ip_network(net["subnet"])


def test_what_is_mounted_from_the_checkout_is_there() -> None:
    sources = [
        volume.partition(":")[0]
        for it in SERVICES.values()
        for volume in it.get("volumes", ())
        if volume.startswith("./")
    ]
    assert sources
    for source in sources:
        assert os.path.isdir(DEPLOY / source), source


def test_no_secret_that_the_documents_make_in_the_checkout_can_be_committed() -> None:
    defaults = [re.sub(r".*:-(.*)}", r"\1", it["file"]) for it in COMPOSE["secrets"].values()]
    made = [str((DEPLOY / it).relative_to(DEPLOY.parent)) for it in defaults]
    assert made == ["deploy/roles", "deploy/grafana-password"]
    assert "> id.key" in (DEPLOY / "threat-model.md").read_text()
    wanted = {*made, "id.key", "deploy/id.key"}
    done = run("git", "-C", DEPLOY.parent, "check-ignore", "--no-index", *sorted(wanted))
    assert set(done.stdout.split()) == wanted
