"""One plant of the bench with all its real processes: services, connector, processors, roll-ups, historian and page."""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.cluster import Failed
from bench.plant import model
from topology.model.plant import Plant
from uns.local.services import Services
from uns.local.up import Parts, apply_model
from uns.model.plant import load_plant
from uns.runtime.ports import free_port
from uns.runtime.settings import Settings, from_environment
from uns.runtime.supervisor import Status

READY_S = 120.0
SERVICES = {"mqtt": "MQTT broker", "bootstrap": "Kafka", "postgres": "PostgreSQL", "registry": "registry"}
CONNECTOR, PROCESSORS, HISTORIAN = f"connector-{model.CONNECTOR}", "processors", f"sink-{model.HISTORIAN}"

Say = Callable[[str], None]


@dataclass
class Running:
    """It answers everywhere."""

    settings: Settings
    plant: Plant
    services: Services
    parts: Parts
    page: str
    ended: list[str]
    """Parts that ended without being asked to."""

    @property
    def pids(self) -> dict[str, int]:
        """By component. A service that runs elsewhere has none."""
        found = {
            SERVICES[name]: service.child.pid for name, service in self.services.started.items() if service.child is not None
        }  # fmt: skip
        return found | {status.name: status.pid for status in self.parts.supervisor.status() if status.pid is not None}

    @property
    def kafka_data(self) -> Path | None:
        service = self.services.started.get("bootstrap")
        return None if service is None else service.folder

    def check(self) -> None:
        """Raises `Failed`."""
        if self.ended:
            raise Failed(f"{self.ended[0]} ended: {' '.join(self.parts.supervisor.tail(self.ended[0], 4))[-600:]}")


@contextmanager
def running(
    machines: int,
    workers: int,
    tick_s: float,
    say: Say,
    partitions: int | None = None,
    whole: bool = True,
    clock: str | None = None,
) -> Iterator[Running]:
    """A plant in a folder of its own, that goes afterwards. `workers`: processes of processors, and partitions, where they are
    not given; not `whole`: the processors alone. Raises `Failed` where it does not come up."""
    with ExitStack() as closing:
        services = Services(Settings(), ephemeral=True)
        closing.callback(services.stop)
        environ = dict(services.start())
        if services.mqtt_persistent is False:
            raise Failed("mosquitto is not installed: amqtt is no measure")
        folder = services.folder / "plant"
        model.write(folder, machines, partitions or workers, environ["UNS_MQTT"], environ["UNS_POSTGRES"], tick_s)
        environ |= {"UNS_PLANT": str(folder), "UNS_STATE_DIR": str(services.folder / "state"), "UNS_LOG_FORMAT": "json"}
        settings = from_environment(environ)
        plant = load_plant(folder)
        apply_model(settings, plant, say)
        if clock is not None:
            environ["UNS_CLOCK"] = clock
        ended: list[str] = []

        def on_end(status: Status, _tail: list[str]) -> None:
            ended.append(status.name)

        parts = Parts(environ, services.folder / "logs", on_end)
        port, page = free_port(), ""
        parts.add(PROCESSORS, "-m", "uns", "run", "processors", *(["--workers", str(workers)] if workers > 1 else []))
        if whole:
            page = f"http://127.0.0.1:{port}"
            parts.add_connectors(plant)
            parts.add("rollups", "-m", "uns", "run", "rollups")
            parts.add(HISTORIAN, "-m", "uns", "run", "sink", model.HISTORIAN)
            parts.add("page", "-m", "uns", "run", "page", "--port", str(port))
        closing.callback(parts.supervisor.stop, 2.0)
        parts.supervisor.start()
        found = Running(settings, plant, services, parts, page, ended)
        _wait_ready(found, [PROCESSORS, *([CONNECTOR, HISTORIAN] if whole else [])])
        yield found


def _wait_ready(plant: Running, names: list[str]) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        plant.check()
        if all(_ready(plant.parts.health[name]) for name in names) and (
            not plant.page or status(plant.page) is not None
        ):
            return
        if time.monotonic() > deadline:
            missing = [name for name in names if not _ready(plant.parts.health[name])]
            raise Failed(f"not ready after {READY_S:.0f} s: {', '.join(missing) or 'page'}")
        time.sleep(0.2)


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1):
            return True
    except (urllib.error.URLError, OSError):
        return False


def status(page: str) -> dict[str, object] | None:
    """What the page says of its feed; None where it does not answer."""
    try:
        with urllib.request.urlopen(f"{page}/api/status", timeout=5) as answer:
            found = json.load(answer)
            return found if isinstance(found, dict) else None
    except (urllib.error.URLError, OSError, ValueError):
        return None


def python(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]
