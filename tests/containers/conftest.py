"""One engine, one build and one stack for the whole module; only where `make test-containers` asks for them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers import engine, images
from tests.containers.stack import ROOT, Stack

NAMED = {
    "kafka": "apache/kafka:4.2.2",
    "postgres": "timescale/timescaledb:2.29.2-pg17",
    "mosquitto": "eclipse-mosquitto:2.0.22",
    "prometheus": "prom/prometheus:v3.13.1",
}
PROFILES = "kafka,registry,postgres,mqtt,connectors,processors,rollups,sinks,web,demo,prometheus"
TAGS = ("uns-backbone:test-1", "uns-backbone:test-2")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack of the first image, not started; the second image is there, too."""
    if os.environ.get("UNS_TEST_CONTAINERS") != "1":
        pytest.skip("containers are built and killed by `make test-containers` alone (UNS_TEST_CONTAINERS=1)")
    folder = tmp_path_factory.mktemp("containers")
    try:
        with engine.engine(folder) as host:
            base = images.prepared(host, folder, NAMED)
            for number, tag in enumerate(TAGS, 1):
                arguments = ("--build-arg", f"BASE={base}", "--build-arg", f"VERSION=0.0.{number}")
                engine.command("docker", "--host", host, "build", *arguments, "--tag", tag, ROOT, timeout_s=1800)
            secrets = folder / "secrets"
            engine.command("sh", ROOT / "deploy" / "secrets.sh", secrets)
            variables = {"COMPOSE_PROFILES": PROFILES, "UNS_IMAGE": TAGS[0], "UNS_SECRETS": str(secrets)}
            project = Stack(engine.compose(_cache()), host, folder, f"uns-test-{os.getpid()}", variables)
            try:
                yield project
            finally:
                project.run("down", "--volumes", "--timeout", "10")
    except engine.Unavailable as error:
        pytest.skip(str(error))


def _cache() -> Path:
    folder = ROOT / "build"
    folder.mkdir(exist_ok=True)
    return folder
