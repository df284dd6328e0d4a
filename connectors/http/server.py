"""uvicorn as one task of ours: it starts or says why not, and that it has ended is noticed."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from connectors.base import SourceUnavailable
from connectors.http.bounded import bounded
from connectors.http.config import HttpConfig

GOODBYE_S = 2
"""Longest wait for the answers of requests that wait as we close."""
START_S = 10.0


class Serving:
    """A server that was started. `ended` is called once it has stopped serving, whatever the cause."""

    def __init__(self, server: uvicorn.Server, task: "asyncio.Task[None]") -> None:
        self._server, self._task = server, task

    def alive(self) -> bool:
        return not self._task.done()

    def cause(self) -> BaseException | None:
        """Of a server that has ended, what ended it; None where it was told to, or cancelled."""
        return None if not self._task.done() or self._task.cancelled() else self._task.exception()

    async def stop(self) -> None:
        """Answers what it still can within `GOODBYE_S`, then drops it."""
        self._server.should_exit = True
        with suppress(asyncio.CancelledError):
            await asyncio.wait([self._task], timeout=GOODBYE_S * 2)
        self._task.cancel()


class _Server(uvicorn.Server):
    """Signals are the runner's, not the server's."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def start(config: HttpConfig, app: ASGIApp, ended: Callable[[], None]) -> Serving:
    """Binds and serves. Raises `SourceUnavailable` that says why it cannot."""
    try:
        settings = uvicorn.Config(
            app,
            http=bounded(config.head_timeout_s, config.connections_max),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GOODBYE_S,
            ssl_certfile=config.certificate_file,
            ssl_keyfile=config.key_file,
        )
        settings.load()
    except OSError as error:  # an SSLError is one, too
        raise SourceUnavailable(f"{config.url}: the certificate cannot be read: {error}") from error
    try:
        listening = bound(config.host, config.port)
    except OSError as error:
        raise SourceUnavailable(
            f"{config.url} cannot be listened on: {error}; is the port taken, is the address ours?"
        ) from error
    server = _Server(settings)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    serving = Serving(server, task)
    try:
        await _up(config.url, server, task)
    except BaseException:
        task.cancel()
        listening.close()
        raise

    def done(_: object) -> None:
        for listener in server.servers:  # one that was cancelled has left them open
            listener.close()
        for connection in tuple(server.server_state.connections):
            connection.transport.abort()
        ended()

    task.add_done_callback(done)
    return serving


async def _up(url: str, server: _Server, task: "asyncio.Task[None]") -> None:
    up = asyncio.create_task(server.up.wait())
    try:
        await asyncio.wait((up, task), timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        up.cancel()
    if server.up.is_set():
        return
    if not task.done():
        raise SourceUnavailable(f"{url}: the server does not start within {START_S:g} s")
    error = task.exception()
    if isinstance(error, OSError):
        raise SourceUnavailable(f"{url} cannot be served: {error}") from error
    if error is not None:
        raise error
    raise SourceUnavailable(f"{url}: the server ended as it started")


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises `OSError`."""
    family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening
