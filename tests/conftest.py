"""Session fixtures of real services: an address from the environment, else a container, else the embedded service."""

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.harness import containers
from tests.harness.brokers import MqttBroker
from tests.harness.influxd import Influxd, influxd
from tests.harness.questdb import QuestDb
from uns.local.service import Service
from uns.testing.patience import patient

# No test says how fast a machine must be; hypothesis would, 200 ms an example. Properties meet the same histories in every
# run: a rare one that differs is for those who look for it (`make test-all`), not for who has changed something else.
settings.register_profile(
    "uns",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("UNS_PROPERTIES") != "random",
)
settings.load_profile("uns")

# A shell starts what it runs in the background with Ctrl-C ignored, and children inherit that: tests that press it
# would press in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


_configure = structlog.configure


def _uncached(*arguments: Any, **options: Any) -> None:
    _configure(*arguments, **{**options, "cache_logger_on_first_use": False})


# A command that runs in the process of the tests sets up its logs. Loggers that were used then would keep to them for ever.
structlog.configure = _uncached


@pytest.fixture(autouse=True)
def usual_logs() -> Iterator[None]:
    """What a test has made of the logs ends with it."""
    yield
    structlog.reset_defaults()


LONG = ("tests/integration/connectors/", "tests/integration/sinks/")
"""Folders whose tests are all `long`: what a foreign server, a kill or a cut does to one protocol or one target. That each
connector and sink works against a real part is held by the contract suites, which are not."""


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test's limit is for an idle machine: on a busy one it grows as the deadlines inside it do."""
    usual_s = float(config.getini("timeout"))
    for item in items:
        if item.nodeid.startswith(LONG):
            item.add_marker(pytest.mark.long)
        marker = item.get_closest_marker("timeout")
        limit_s = float(marker.args[0]) if marker is not None and marker.args else usual_s
        item.add_marker(pytest.mark.timeout(patient(limit_s)), append=False)


@pytest.fixture(scope="session")
def services_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where embedded services of this session keep data and logs; pytest removes old ones."""
    Service.start_timeout_s = patient(Service.start_timeout_s)
    return tmp_path_factory.mktemp("services")


@pytest.fixture(scope="session")
def kafka(services_folder: Path) -> Iterator[str]:
    """Bootstrap address of a real Kafka."""
    if address := os.environ.get("UNS_BOOTSTRAP"):
        yield address
    elif containers.available():
        with containers.kafka() as address:
            yield address
    else:
        from uns.local.kafka import Kafka

        with Kafka(services_folder / "kafka") as broker:
            yield broker.address


@pytest.fixture(scope="session")
def registry(kafka: str, services_folder: Path) -> Iterator[str]:
    """URL of a schema registry over `kafka`."""
    if address := os.environ.get("UNS_REGISTRY"):
        yield address
    else:
        from uns.local.registry import Registry

        with Registry(services_folder / "registry", {"UNS_BOOTSTRAP": kafka}) as server:
            yield server.address


@pytest.fixture(scope="session")
def postgres(services_folder: Path) -> Iterator[str]:
    """DSN of a PostgreSQL database, shared by the session: use table or schema names of your own."""
    if address := os.environ.get("UNS_POSTGRES"):
        yield address
    elif containers.available():
        with containers.postgres() as address:
            yield address
    else:
        from uns.local.postgres import Postgres

        with Postgres(services_folder / "postgres") as server:
            yield server.address


@pytest.fixture(scope="session")
def influxdb(services_folder: Path) -> Iterator[Influxd]:
    """An InfluxDB 1, shared by the session: use databases of your own."""
    with influxd(services_folder / "influxdb") as server:
        yield server


@pytest.fixture(scope="session")
def questdb(services_folder: Path) -> Iterator[QuestDb]:
    """A QuestDB, shared by the session: use table names of your own."""
    with QuestDb(services_folder / "questdb") as server:
        yield server


@pytest.fixture(scope="session")
def mqtt_broker(services_folder: Path) -> Iterator[MqttBroker]:
    """A real MQTT broker; a test that needs messages kept for offline sessions asks `persistent` and skips."""
    if address := os.environ.get("UNS_MQTT"):
        yield MqttBroker(address, persistent=os.environ.get("UNS_MQTT_PERSISTENT", "1") == "1")
        return
    from uns.local.mqtt import Mqtt

    broker = Mqtt(services_folder / "mqtt")
    if not broker.persistent and containers.available():
        with containers.mosquitto() as address:
            yield MqttBroker(address, persistent=True)
    else:
        with broker:
            yield MqttBroker(broker.address, broker.persistent)


@pytest.fixture
def enterprise() -> str:
    """An enterprise name of this test alone, so that topics, keys and rows of tests never meet."""
    return f"acme-{secrets.token_hex(4)}"
