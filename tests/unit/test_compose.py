"""The compose file: what must outlive a container lies in a named volume, and nothing grows without a bound."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
IMAGE_STATE = re.findall(r"^VOLUME (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)


def kept(service: dict[str, Any]) -> dict[str, str]:
    """Place in the container → named volume."""
    mounts = [mount.split(":") for mount in service.get("volumes", [])]
    return {mount[1]: mount[0] for mount in mounts if not mount[0].startswith((".", "/"))}


def test_kafkas_logs_are_where_its_volume_is() -> None:
    kafka = SERVICES["kafka"]
    folder = kafka["environment"]["KAFKA_LOG_DIRS"]  # the image turns KAFKA_LOG_DIRS into log.dirs
    assert folder in kept(kafka)


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_keeps_is_in_a_named_volume(name: str) -> None:
    service, volumes = SERVICES[name], kept(SERVICES[name])
    assert set(volumes.values()) <= set(COMPOSE["volumes"])
    if service["image"] == "uns-backbone":
        assert set(IMAGE_STATE) <= set(volumes), "a volume without a name goes with its container"
    else:
        assert volumes, "state in the container alone"


@pytest.mark.parametrize("name", SERVICES)
def test_memory_and_logs_are_bounded(name: str) -> None:
    assert SERVICES[name]["mem_limit"]
    assert {"max-size", "max-file"} <= SERVICES[name]["logging"]["options"].keys()


def test_no_check_of_health_starts_a_virtual_machine() -> None:
    checks = [str(service.get("healthcheck", {}).get("test", "")) for service in SERVICES.values()]
    assert not [check for check in checks if "kafka-" in check or "java" in check]
