"""A mosquitto with the listeners that a test asks for; `restart` keeps its folder, and with it what is persistent."""

import getpass
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.waiting import eventually
from uns.local.mqtt import find_mosquitto
from uns.runtime.ports import HOST, free_port


class Mosquitto:
    """`ports` of its listeners, in the order of what they were asked to be."""

    def __init__(self, folder: Path, listeners: list[str], options: str = "") -> None:
        self.ports = [free_port() for _ in listeners]
        self._config = folder / "mosquitto.conf"
        parts = [f"listener {port} {HOST}\n{more}" for port, more in zip(self.ports, listeners, strict=True)]
        general = f"per_listener_settings true\nuser {getpass.getuser()}\npersistence_location {folder}/\n{options}"
        self._config.write_text("\n".join([general, *parts]) + "\n", encoding="utf-8")
        self._log = folder / "mosquitto.log"

    def url(self, scheme: str = "mqtt", listener: int = 0, path: str = "") -> str:
        return f"{scheme}://{HOST}:{self.ports[listener]}{path}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([str(find_mosquitto()), "-c", str(self._config)], stdout=log, stderr=log)
        for port in self.ports:
            eventually(lambda port=port: self._answers(port), what="mosquitto")  # type: ignore[misc]

    def _answers(self, port: int) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        with socket.create_connection((HOST, port), timeout=1):
            return True

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def kill(self) -> None:
        """Without a word, and without a last save."""
        self._process.kill()
        self._process.wait()


@contextmanager
def mosquitto(folder: Path, listeners: list[str], options: str = "") -> Iterator[Mosquitto]:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed (Debian: mosquitto)")
    folder.mkdir(parents=True, exist_ok=True)
    broker = Mosquitto(folder, listeners, options)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()
