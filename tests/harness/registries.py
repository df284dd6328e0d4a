"""A registry of its own topic, so that a test may stop, restart and fence it; and one that nobody may write to."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2

from schemas.catalog import sources
from tests.harness.waiting import eventually
from uns.registry.client import RegistryClient
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

    def stop(self) -> int | None:
        """Exit code; None: it did not run."""
        if self._process is None:
            return None
        self._process.terminate()
        code = self._process.wait(20)
        self._process = None
        return code

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


def register_all(url: str, cache: Path) -> None:
    """Every record's schema, as `uns apply` registers them."""
    registry = RegistryClient(url, cache)
    for subject in sources():
        registry.id_to_write(subject.rpartition(".")[2])


class ReadOnly:
    """A real proxy in front of a registry: GET goes through, anything else is refused with 403 and written down."""

    def __init__(self, url: str) -> None:
        self.refused: list[str] = []
        """`METHOD path` of every request that would have changed something."""
        guard = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = httpx2.get(url + self.path, timeout=30)
                self._answer(answer.status_code, answer.content, answer.headers["content-type"])

            def refuse(self) -> None:
                guard.refused.append(f"{self.command} {self.path}")
                self.rfile.read(int(self.headers.get("content-length") or 0))
                self._answer(403, b'{"error_code": 40301, "message": "this registry is read-only"}', "application/json")

            do_POST = do_PUT = do_DELETE = refuse  # noqa: N815 (the base class names them)

            def _answer(self, status: int, content: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Requests are not events."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "ReadOnly":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
