"""A registry of its own topic, so that a test may stop, restart and fence it beside the session's."""

import os
import subprocess
import sys
from pathlib import Path

import httpx2

from tests.harness.waiting import eventually
from uns.runtime.ports import free_port

_SERVE = """
import sys
from uns.errors import UserError
from uns.registry.serve import serve
from uns.runtime.settings import settings
try:
    serve(settings(), int(sys.argv[1]), sys.argv[2])
except UserError as error:
    sys.exit(str(error))
"""


class OwnRegistry:
    """`uns run registry` as a process over a topic. The URL stays over restarts."""

    def __init__(self, kafka: str, topic: str, log: Path) -> None:
        self.kafka, self.topic, self.log = kafka, topic, log
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "OwnRegistry":
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _SERVE, str(self.port), self.topic],
                env=os.environ | {"UNS_BOOTSTRAP": self.kafka},
                stdout=output,
                stderr=output,
            )
        eventually(self._ready, what="registry ready", timeout_s=40)
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def ended(self) -> int:
        """Exit code once it ends by itself."""
        assert self._process is not None
        return self._process.wait(20)

    def __enter__(self) -> "OwnRegistry":
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(self.log.read_text())
        try:
            return httpx2.get(f"{self.url}/health/ready", timeout=2).status_code == 200
        except httpx2.HTTPError:
            return False
