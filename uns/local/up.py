"""Your own plant on this machine: services that the environment does not name, then every part of the plant model.

`uns up` runs it, and the demo does too, with a plant of its own in front.
"""

import os
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from topology.model.plant import Plant
from uns.local.ports import usual_port
from uns.local.services import Services
from uns.model.apply import Applier
from uns.model.plant import load_plant
from uns.runtime.lock import FolderLock
from uns.runtime.ports import claim, free_port
from uns.runtime.running import announce, withdraw
from uns.runtime.settings import Settings
from uns.runtime.supervisor import Status, Supervisor

Say = Callable[[str], None]


PAGE_WAIT_S = 60.0
"""Longest wait for the page's first answer."""


class Parts:
    """The parts of one plant as child processes: `python -m uns run …`, restarted when they end."""

    def __init__(self, environ: dict[str, str], logs: Path, on_end: Callable[[Status, list[str]], None]) -> None:
        self.environ = environ
        self.supervisor = Supervisor(logs, on_end=on_end)
        self.health: dict[str, int] = {}
        """Part → port of its health endpoint."""

    def add(self, name: str, *arguments: str) -> None:
        """A Python program under supervision."""
        port = self.health[name] = free_port()
        self.supervisor.add(name, [sys.executable, *arguments], {**self.environ, "UNS_METRICS_PORT": str(port)})

    @property
    def metrics(self) -> str:
        """Where the processors' metrics are, for `uns top`."""
        return f"http://127.0.0.1:{self.health['processors']}"

    def add_connectors(self, plant: Plant) -> list[str]:
        for name in plant.connectors:
            self.add(f"connector-{name}", "-m", "uns", "run", "connector", name)
        return [f"connector-{name}" for name in plant.connectors]

    def add_rest(self, plant: Plant, page: int) -> None:
        """The page, which somebody waits for, processors, roll-ups and sinks."""
        self.add("page", "-m", "uns", "run", "page", "--port", str(page))
        self.add("processors", "-m", "uns", "run", "processors", "--workers", "1")
        self.add("rollups", "-m", "uns", "run", "rollups")
        for name in plant.sinks:
            self.add(f"sink-{name}", "-m", "uns", "run", "sink", name)


def apply_model(settings: Settings, plant: Plant, say: Say) -> None:
    """Topics, schemas and ACLs of the model. Raises `UserError`."""
    begun = time.monotonic()
    applier = Applier(settings, plant)
    steps = applier.apply(applier.plan())
    say(f"✓ namespace applied, {steps} steps {time.monotonic() - begun:.1f} s")


def answers(url: str, wait_s: float) -> bool:
    """Whether something answers there, at once or within so many seconds."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return True
        except OSError:
            time.sleep(0.1)
    return False


class Up:
    """Everything of one plant model here. Data stays in the state folder, and the next start goes on from it."""

    def __init__(self, settings: Settings, plant: Path, page_port: int | None, say: Say) -> None:
        """`page_port` None: the usual one, or a free one where that is taken.

        Takes the state folder. Raises `ServiceError` where another run has it: before anything is read or started.
        """
        self._settings, self._plant, self._say = settings, plant.absolute(), say
        self._page_port = page_port
        self._closing = ExitStack()
        self._closing.callback(FolderLock(settings.state_dir).release)
        self.page_url = ""
        self.begun = False
        """Whether a service was started, and so the state folder may hold data."""
        self.settings = settings

    def start(self) -> None:
        """Returns once the page answers, or says that it does not. Raises `UserError` (a `ServiceError` is one)."""
        # The model is read before anything is started: a mistake in it shows at once. Addresses of services that are
        # not there yet stand in for themselves.
        model = load_plant(self._plant)
        page = usual_port("page", self._say) if self._page_port is None else claim(self._page_port, "the page")
        needs_postgres = any(sink.kind == "historian" for sink in model.sinks.values())
        services = Services(
            self._settings,
            want=("bootstrap", "registry", *(("postgres",) if needs_postgres else ())),
            report=self._say,
            usual_ports=True,
        )
        self._closing.callback(services.stop)
        self.begun = True
        services.start()
        state_dir = str(self._settings.state_dir.absolute())
        environ = {**services.environ, "UNS_PLANT": str(self._plant), "UNS_STATE_DIR": state_dir}
        os.environ.update(environ)
        self.settings = Settings()
        model = load_plant(self._plant)
        apply_model(self.settings, model, self._say)
        parts = Parts(environ, self._settings.state_dir / "logs", self._ended)
        parts.add_connectors(model)
        parts.add_rest(model, page)
        announce(self._settings.state_dir, {**environ, "UNS_METRICS": parts.metrics})
        self._closing.callback(withdraw, self._settings.state_dir)
        self._closing.callback(parts.supervisor.stop, 1.5)
        parts.supervisor.start()
        self._say(f"✓ {len(parts.health)} parts started; logs: {self._settings.state_dir / 'logs'}")
        self.page_url = f"http://127.0.0.1:{page}"
        if not answers(self.page_url, PAGE_WAIT_S):
            self._say(f"! the page does not answer yet; its log: {self._settings.state_dir / 'logs' / 'page.log'}")

    def _ended(self, status: Status, tail: list[str]) -> None:
        self._say(f"! {status.name} ended with code {status.exit_code}, {status.state}; its log: {status.log}")
        for line in tail[-3:]:
            self._say(f"    {line}")

    def close(self) -> None:
        """Stops all, our parts first. Idempotent; takes less than 3 s."""
        self._closing.close()
