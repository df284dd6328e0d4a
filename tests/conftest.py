"""Session fixtures of real services: an address from the environment, else the embedded service."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap address of a real Kafka."""
    if address := os.environ.get("UNS_BOOTSTRAP"):
        yield address
        return
    from uns.embedded.kafka import Kafka

    with Kafka(Path(tmp_path_factory.mktemp("kafka"))) as broker:
        yield broker.bootstrap
