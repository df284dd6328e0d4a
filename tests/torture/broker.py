"""A broker of a case's own: it can be killed, stopped, and started again with the same data at the same address."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from uns.local.kafka import Kafka
from uns.runtime.ports import free_port

STOP_S = 40.0


class _Configured(Kafka):
    def __init__(self, folder: Path, port: int, more: Mapping[str, str], listener: str | None) -> None:
        super().__init__(folder, port)
        self._more, self._listener = more, listener

    def properties(self, port: int) -> dict[str, str]:
        settings = super().properties(port) | dict(self._more)
        if self._listener is not None:
            settings["listeners"] += f",OUTSIDE://{self._listener}"
            settings["listener.security.protocol.map"] += ",OUTSIDE:PLAINTEXT"
        return settings


class Broker:
    """`address` stays over restarts."""

    def __init__(
        self,
        folder: Path,
        properties: Mapping[str, str] | None = None,
        listener: str | None = None,
        port: int | None = None,
    ) -> None:
        """`properties`: on top of the embedded broker's. `listener`: a second address, host:port, for clients there."""
        self._folder, self._properties, self._listener = folder, properties or {}, listener
        self._port = port or free_port()
        self.address = f"127.0.0.1:{self._port}"
        self.log = folder / "kafka.log"
        self._running: _Configured | None = None

    def start(self) -> Self:
        broker = _Configured(self._folder, self._port, self._properties, self._listener)
        broker.start()
        self._running = broker
        return self

    @property
    def running(self) -> bool:
        return self._running is not None and self._running.running

    def kill(self) -> None:
        """kill -9: nothing is flushed, no client is told."""
        broker, self._running = self._running, None
        if broker is not None:
            if broker.child is not None:
                broker.child.kill()
            broker.stop()

    def stop(self) -> None:
        """SIGTERM, and all the time it wants."""
        broker, self._running = self._running, None
        if broker is not None:
            broker.stop(STOP_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()
