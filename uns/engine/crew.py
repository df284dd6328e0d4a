"""Several worker slots on one machine: a process each, one parent that starts them again and speaks for all."""

import sys
import threading
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from uns.engine.failure import Exit
from uns.runtime import telemetry
from uns.runtime.ports import free_port
from uns.runtime.settings import Settings
from uns.runtime.supervisor import PartState, Status, Supervisor
from uns.watch.health import reasons
from uns.watch.scrape import Gathered

log = structlog.get_logger()
STOP_S = 20.0
"""For the workers to finish their transactions and leave the group."""


class Crew:
    """Workers `first`, `first + 1`, … of one plant. Their logs are files below the state folder."""

    def __init__(self, settings: Settings, plant: Path, first: int, count: int) -> None:
        self._settings = settings
        self._given_up = threading.Event()
        self._supervisor = Supervisor(settings.state_dir / "logs", on_end=self._ended)
        self.addresses: dict[str, str] = {}
        """Worker → address of its own metrics and health."""
        for slot in range(first, first + count):
            name, port = f"processors-{slot}", free_port()
            self.addresses[name] = f"http://127.0.0.1:{port}"
            command = [sys.executable, "-m", "uns", "run", "processors", "--plant", str(plant), "--slot", str(slot)]
            self._supervisor.add(name, command, {"UNS_METRICS_PORT": str(port), "UNS_BIND": "127.0.0.1"})

    def run(self) -> int:
        """Until KeyboardInterrupt, or until a worker has failed too often; returns the exit code."""
        registry = CollectorRegistry()
        registry.register(Gathered(self.addresses))
        address = telemetry.serve(self._settings.bind, self._settings.metrics_port, self.live, self.ready, registry)
        try:
            self._supervisor.start()
            log.info(
                "workers run",
                workers=len(self.addresses),
                metrics=f"{address}/metrics",
                logs=str(self._supervisor.logs),
            )
            self._given_up.wait()
        except KeyboardInterrupt:
            return Exit.STOPPED
        finally:
            self._supervisor.stop(STOP_S)
        codes = [status.exit_code or 1 for status in self._supervisor.status() if status.state is PartState.GAVE_UP]
        return next((code for code in codes if code > 0), 1)

    def live(self) -> list[str]:
        """Why all of them should be started anew."""
        return [
            f"{status.name} failed too often"
            for status in self._supervisor.status()
            if status.state is PartState.GAVE_UP
        ]

    def ready(self) -> list[str]:
        """Which workers do no work now, and why."""
        return [f"{name}: {why}" for name, address in self.addresses.items() for why in reasons(address, "ready")]

    def _ended(self, status: Status, tail: list[str]) -> None:
        log.error("worker ended", worker=status.name, exit_code=status.exit_code, state=status.state, said=tail[-3:])
        if status.state is PartState.GAVE_UP:
            self._given_up.set()
