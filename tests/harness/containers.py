"""Services in containers, where a Docker engine answers: fixed images, loosely the settings of the embedded ones."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from os import environ


@cache
def available() -> bool:
    """Whether a Docker engine answers; asks the local socket only, and for a second at most."""
    host = environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as engine:
        engine.settimeout(1)
        try:
            engine.connect(host.removeprefix("unix://"))
            engine.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b"200" in engine.recv(64)
        except OSError:
            return False


@contextmanager
def kafka() -> Iterator[str]:
    from testcontainers.community.kafka import KafkaContainer

    with KafkaContainer("confluentinc/cp-kafka:8.1.0").with_kraft() as container:
        yield container.get_bootstrap_server()


@contextmanager
def postgres() -> Iterator[str]:
    from testcontainers.community.postgres import PostgresContainer

    with PostgresContainer("postgres:18-alpine", driver=None) as container:
        yield container.get_connection_url()


@contextmanager
def mosquitto() -> Iterator[str]:
    from testcontainers.community.mqtt import MosquittoContainer

    with MosquittoContainer("eclipse-mosquitto:2") as container:
        yield f"mqtt://{container.get_container_host_ip()}:{container.get_exposed_port(1883)}"
