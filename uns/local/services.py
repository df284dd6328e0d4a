"""Starts what the environment does not give: Kafka, PostgreSQL, MQTT broker and registry, side by side."""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from pathlib import Path

from confluent_kafka import KafkaException

from uns.errors import ServiceError
from uns.kafka import clients
from uns.local.kafka import Kafka
from uns.local.mqtt import Mqtt
from uns.local.ports import usual_port
from uns.local.postgres import Postgres
from uns.local.registry import Registry
from uns.local.service import Service
from uns.runtime.settings import Settings
from uns.runtime.telemetry import mask_text

ALL = ("bootstrap", "registry", "postgres", "mqtt")
"""What can be started, by the name of its setting: `bootstrap` is `UNS_BOOTSTRAP`."""


class Services:
    """`start` returns once all answered; `environ` then tells child processes where they are.

    Data stays in `<state_dir>/embedded` and the next start resumes it; `ephemeral` keeps it in a temporary folder
    that `stop` deletes.
    """

    def __init__(
        self,
        settings: Settings,
        want: Iterable[str] = ALL,
        ephemeral: bool = False,
        report: Callable[[str], None] = lambda line: None,
        usual_ports: bool = False,
    ) -> None:
        """`report` is told one line a step (`✓ Kafka 2.4 s`), from any thread.

        `usual_ports`: Kafka at 9092 and so on where that is free, for people who come back; else any free ports.
        """
        self.settings, self.ephemeral = settings, ephemeral
        self.folder = Path(tempfile.mkdtemp(prefix="uns-")) if ephemeral else settings.state_dir / "embedded"
        self.environ: dict[str, str] = {}
        self.started: dict[str, Service] = {}
        """The services that are ours, by the name of their setting."""
        self._want, self._report, self._usual_ports = frozenset(want), report, usual_ports
        self._stopping = threading.Event()
        self._jobs: dict[str, Future[str]] = {}

    def start(self) -> dict[str, str]:
        """Raises `ServiceError` of the first that failed; then nothing is left running."""
        self.begin()
        return self.finish()

    def begin(self) -> None:
        """Starts all side by side and returns at once; `finish` or `stop` must follow."""
        for name in sorted(self._want):
            self._jobs[name] = Future()
        for name, job in self._jobs.items():
            # Daemon threads: a Ctrl-C in the middle of a download does not wait for its end.
            threading.Thread(target=self._run, args=(name, job), name=f"start-{name}", daemon=True).start()

    def address(self, name: str) -> str:
        """Of one that was begun, as soon as it answers, while the others still start. Raises `ServiceError`."""
        return self._jobs[name].result()

    def finish(self) -> dict[str, str]:
        """Waits for all that were begun. Raises `ServiceError` of the first that failed; then nothing is left running."""
        try:
            wait(self._jobs.values(), return_when=FIRST_EXCEPTION)
            for job in sorted(self._jobs.values(), key=lambda job: not job.done()):
                job.result()
        except BaseException:
            self.stop()
            raise
        return self.environ

    def ready(self) -> dict[str, bool]:
        """Which of ours answer a probe now, by the name of their setting."""
        return {name: service.ready() for name, service in self.started.items()}

    @property
    def mqtt_persistent(self) -> bool | None:
        """Whether the embedded broker keeps messages for offline sessions; None: the broker is not ours."""
        service = self.started.get("mqtt")
        return service.persistent if isinstance(service, Mqtt) else None

    def stop(self, deadline_s: float = 2.0) -> None:
        """Stops all at once, SIGKILL after the deadline; deletes the data of an ephemeral run. Idempotent."""
        self._stopping.set()
        stops = [
            threading.Thread(target=service.stop, args=(deadline_s,), daemon=True) for service in self.started.values()
        ]
        for thread in stops:
            thread.start()
        for thread in stops:
            thread.join(deadline_s + 1)
        if self.ephemeral:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "Services":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, name: str, job: Future[str]) -> None:
        try:
            given = getattr(self.settings, name)
            address = self._take(name, given) if given else self._start(name)
            self.environ[f"UNS_{name.upper()}"] = address
            job.set_result(address)
        except BaseException as error:
            job.set_exception(error)

    def _take(self, name: str, address: str) -> str:
        if name == "bootstrap":
            try:
                clients.admin(self.settings, {"log_level": 0}).list_topics(timeout=5)
            except KafkaException as error:
                raise ServiceError(
                    f"Kafka at {address} (UNS_BOOTSTRAP) does not answer: {error.args[0].str()}. "
                    "Start it, correct the address or the UNS_SASL_*/UNS_SSL_* settings, or unset UNS_BOOTSTRAP "
                    "for an embedded one"
                ) from None
        self._report(f"✓ {_LABELS[name]} from UNS_{name.upper()}: {mask_text(address)}")
        return address

    def _start(self, name: str) -> str:
        begun = time.monotonic()
        service = self._make(name)
        if self._stopping.is_set():
            raise ServiceError(f"{service.name} was stopped before it started")
        self.started[name] = service
        address = service.start()
        if self._stopping.is_set():  # asked to stop in the moment before the process was there
            service.stop()
            raise ServiceError(f"{service.name} was stopped while it started")
        self._report(f"✓ {_LABELS[name]} {time.monotonic() - begun:.1f} s")
        return address

    def _make(self, name: str) -> Service:
        port = usual_port(_LABELS[name], self._report) if self._usual_ports else None
        folder = self.folder / _LABELS[name]
        match name:
            case "bootstrap":
                return Kafka(folder, port, self._report)
            case "postgres":
                return Postgres(folder, port, self._report)
            case "mqtt":
                return Mqtt(folder, port, self._report)
            case "registry":
                bootstrap = self._jobs["bootstrap"].result() if "bootstrap" in self._jobs else self.settings.bootstrap
                if not bootstrap:
                    raise ServiceError("the registry needs Kafka: start both, or set UNS_BOOTSTRAP")
                return Registry(folder, {"UNS_BOOTSTRAP": bootstrap}, port, self._report)
        raise ValueError(f"no service {name!r}; there are {', '.join(ALL)}")


_LABELS = {"bootstrap": "kafka", "registry": "registry", "postgres": "postgres", "mqtt": "mqtt"}
