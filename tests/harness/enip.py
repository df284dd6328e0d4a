"""A Logix controller that is none: cpppo's simulator in a process of its own, and a client that writes its tags."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from cpppo.server.enip import client

from tests.harness.waiting import eventually
from uns.runtime.ports import free_port

logging.getLogger("cpppo").setLevel(logging.CRITICAL)


class Controller:
    """`tags`: name → type of CIP, of an array with its length: `DINT[10]`."""

    def __init__(self, tags: dict[str, str], port: int | None = None) -> None:
        self.port = port or free_port()
        self.tags = tags
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: Any = None

    def start(self) -> None:
        arguments = [
            f"{name.partition('[')[0]}={kind}{name[name.find('[') :] if '[' in name else ''}"
            for name, kind in self.tags.items()
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cpppo.server.enip", "-a", f"127.0.0.1:{self.port}", "--no-udp", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._writer = eventually(self._connected, what="cpppo answers")

    def _connected(self) -> Any:
        return client.connector(host="127.0.0.1", port=self.port)

    def write(self, name: str, value: object) -> None:
        (operation,) = client.parse_operations([f"{name}=({self.tags[name.partition('[')[0]].partition('[')[0]})0"])
        with self._writer as connection:
            ((_, _, _, _, status, _),) = connection.pipeline(operations=[{**operation, "data": [value]}])
        assert not status, f"{name} is not written: {status}"

    def pause(self) -> None:
        """It takes what comes and answers nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(10)


@asynccontextmanager
async def controller(tags: dict[str, str]) -> AsyncIterator[Controller]:
    made = Controller(tags)
    try:
        await asyncio.to_thread(made.start)
        yield made
    finally:
        await asyncio.to_thread(made.stop)
