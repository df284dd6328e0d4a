"""The compose file, as two renderers read it: what must outlive a container lies where it is written, nothing is open
to others, and nothing grows without a bound."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from uns.engine.config import EngineConfig

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
NOT_PRODUCTION = {"plant", "mes"}
LIVE = [name for name in OURS if name not in {"apply", *NOT_PRODUCTION}]
"""Parts of ours that run on and tell their metrics."""
IMAGE_STATE = re.findall(r"^VOLUME (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
PROFILES = sorted({profile for service in SERVICES.values() for profile in service["profiles"]})
HEALTH_S = 5.0


def rendered(*command: str) -> dict[str, Any]:
    """The services with anchors, variables and defaults applied."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("UNS_", "COMPOSE_"))}
    profiles = [word for profile in PROFILES for word in ("--profile", profile)]
    done = subprocess.run(
        [*command, *profiles, "config"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    assert found.keys() == SERVICES.keys()
    return found


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """podman-compose asks podman who it is, and needs no more of it for this."""
    stub = ROOT / "tests" / "unit" / "podman_version.sh"
    return rendered(sys.executable, "-m", "podman_compose", "--podman-path", str(stub))


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Place in the container → volume or folder; both renderers' forms."""
    found = {}
    for mount in service.get("volumes", []):
        if isinstance(mount, str):
            source, target = mount.split(":")[:2]
            found[target] = source
        else:
            found[mount["target"]] = mount["source"]
    return found


def kept(service: dict[str, Any]) -> dict[str, str]:
    """Place in the container → named volume."""
    return {place: source for place, source in mounts(service).items() if source in COMPOSE["volumes"]}


def variables(service: dict[str, Any]) -> dict[str, str]:
    given = service.get("environment", {})
    pairs = given.items() if isinstance(given, dict) else (text.split("=", 1) for text in given)
    return {name: str(value) for name, value in pairs}


def test_kafka_itself_reads_that_its_logs_are_in_the_volume(services: dict[str, Any], tmp_path: Path) -> None:
    from uns.local import jars, java, kafka

    (label, coordinates), *_ = kafka.COORDINATES.items()
    jar = jars.fetch(coordinates, label)
    properties = tmp_path / "server.properties"
    lines = [  # as the image's KafkaDockerWrapper makes them of its environment
        f"{name.removeprefix('KAFKA_').replace('_', '.').lower()}={value}\n"
        for name, value in variables(services["kafka"]).items()
        if name != "KAFKA_HEAP_OPTS"
    ]
    properties.write_text("".join(lines), encoding="utf-8")
    tool = ["-cp", f"{jar}/modules/*:{jar}/jars/*", "kafka.tools.StorageTool", "info", "-c", str(properties)]
    done = subprocess.run([java.find().path, *tool], capture_output=True, text=True, timeout=120)
    said = done.stdout + done.stderr
    assert set(re.findall(r"^  (/\S+)(?: |$)", said, re.MULTILINE)) == set(kept(services["kafka"])), said


def test_docker_compose_renders_the_same(services: dict[str, Any]) -> None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        pytest.skip("no `docker compose` here")
    for name, service in rendered("docker", "compose").items():
        ours = services[name]
        assert (kept(service), variables(service)) == (kept(ours), variables(ours)), name
        assert service.get("read_only") == ours.get("read_only"), name
        assert service["depends_on" if "depends_on" in ours else "image"], name


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_keeps_is_in_a_named_volume(services: dict[str, Any], name: str) -> None:
    volumes = kept(services[name])
    if name in OURS:
        assert set(IMAGE_STATE) <= set(volumes), "a volume without a name goes with its container"
    else:
        assert volumes, "state in the container alone"


def test_every_volume_is_somebodys() -> None:
    assert set(COMPOSE["volumes"]) == {volume for service in SERVICES.values() for volume in kept(service).values()}


@pytest.mark.parametrize("name", SERVICES)
def test_memory_and_logs_are_bounded(services: dict[str, Any], name: str) -> None:
    assert services[name]["mem_limit"]
    assert {"max-size", "max-file"} <= services[name]["logging"]["options"].keys()


@pytest.mark.parametrize("name", SERVICES)
def test_rights_are_few_and_ports_are_the_hosts_own(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert "no-new-privileges:true" in service["security_opt"]
    if name in OURS:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    for port in service.get("ports", []):
        host = port["host_ip"] if isinstance(port, dict) else port.rsplit(":", 2)[0]
        assert host == "127.0.0.1"


def test_secrets_come_by_file(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for variable, value in variables(service).items():
            if re.search(r"PASSWORD|SECRET|TOKEN", variable):
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert value.startswith("/run/secrets/")
            assert not re.search(r"://[^/@]*:[^/@]+@", value), f"{name}: a password in {variable}"


def test_parts_have_longer_to_end_than_their_last_transaction_takes(services: dict[str, Any]) -> None:
    for name in LIVE:
        text = str(services[name]["stop_grace_period"])
        minutes, seconds = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", text).groups(default="0")  # type: ignore[union-attr]
        assert 60 * int(minutes) + int(seconds) >= 2 * EngineConfig().stop_timeout_s, name


def test_checks_of_health_are_quick_and_start_no_virtual_machine() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    checks = [service["healthcheck"] for service in SERVICES.values() if "test" in service.get("healthcheck", {})]
    assert len(checks) >= 5
    timeouts = [str(check["timeout"]) for check in checks] + re.findall(
        r"^HEALTHCHECK.*--timeout=(\w+)", dockerfile, re.M
    )
    assert max(float(timeout.removesuffix("s")) for timeout in timeouts) <= HEALTH_S
    assert not [check for check in checks if re.search(r"kafka-|java", str(check["test"]))]


def test_whoever_is_waited_for_has_a_check_of_health() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            waited = SERVICES[other]
            if how["condition"] == "service_healthy":
                assert other in LIVE or "test" in waited["healthcheck"], f"{name} waits for {other}"
            else:
                assert waited["restart"] == "no", f"{name} waits for the end of {other}"
    assert {name for name in LIVE if "apply" not in SERVICES[name]["depends_on"]} == {"registry"}


def test_the_file_of_variables_names_profiles_that_exist() -> None:
    text = (ROOT / ".env").read_text(encoding="utf-8")
    chosen = set(re.findall(r"^COMPOSE_PROFILES=(.*)$", text, re.MULTILINE)[0].split(","))
    assert chosen | {"prometheus", "grafana"} == set(PROFILES)
    file = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert [name for name in re.findall(r"^# (UNS_\w+)=", text, re.MULTILINE) if f"${{{name}:-" not in file] == []


def test_prometheus_watches_every_part() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text(encoding="utf-8"))
    targets = [
        target for job in config["scrape_configs"] for group in job["static_configs"] for target in group["targets"]
    ]
    assert sorted(targets) == sorted(f"{name}:9100" for name in LIVE)


def test_files_that_are_mounted_are_there(tmp_path: Path) -> None:
    files = {name: ROOT / config["file"] for name, config in COMPOSE["configs"].items()}
    assert [name for name, file in files.items() if not file.is_file()] == []
    assert {each["source"] for service in SERVICES.values() for each in service.get("configs", [])} == set(files)


def test_prometheus_takes_its_files(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("no promtool: apt-get install prometheus")
    config = (ROOT / "deploy" / "prometheus.yml").read_text(encoding="utf-8")
    assert "/etc/prometheus/alerts.yaml" in config
    file = tmp_path / "prometheus.yml"
    file.write_text(
        config.replace("/etc/prometheus/alerts.yaml", str(ROOT / "docs/grafana/alerts.yaml")), encoding="utf-8"
    )
    done = subprocess.run(["promtool", "check", "config", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout


def test_secrets_are_made_once_and_are_nobody_elses(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"

    def made() -> dict[str, str]:
        subprocess.run(["sh", str(ROOT / "deploy" / "secrets.sh"), str(folder)], check=True, capture_output=True)
        return {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}

    first = made()
    assert first.keys() == COMPOSE["secrets"].keys()
    assert all(len(secret.strip()) >= 32 for secret in first.values())
    assert len(set(first.values())) == len(first)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert made() == first
