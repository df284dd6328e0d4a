"""The schema registry: `uns run registry` as a child process."""

import sys
from collections.abc import Mapping
from pathlib import Path

import httpx2

from uns.local.service import Progress, Service
from uns.runtime.child import Child
from uns.runtime.ports import HOST, claim


class Registry(Service):
    """`address` is its URL. Its data is Kafka's topic `_schemas`; the folder holds its log only."""

    name = "schema registry"
    start_timeout_s = 30.0

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        port: int | None = None,
        progress: Progress = lambda line: None,
    ) -> None:
        """`environ`: at least UNS_BOOTSTRAP."""
        super().__init__(folder, port, progress)
        self.environ = environ

    def launch(self) -> Child:
        port = claim(self.wanted_port, self.name)
        self.address = f"http://{HOST}:{port}"
        return Child(
            [sys.executable, "-m", "uns", "run", "registry", "--port", str(port)],
            self.folder / "registry.log",
            environ=self.environ,
        )

    def ready(self) -> bool:
        try:
            return httpx2.get(f"{self.address}/health/ready", timeout=2).status_code == 200
        except httpx2.HTTPError:
            return False
