"""A way to a server that can go half open: everything is taken, nothing goes on, and nobody is told."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from uns.runtime.ports import HOST


class HalfOpen:
    """Passes connections on to a port of this machine, in threads of its own."""

    def __init__(self, upstream_port: int, port: int = 0) -> None:
        self._upstream_port, self.silent = upstream_port, False
        self._listener = socket.create_server((HOST, port))
        self.port: int = self._listener.getsockname()[1]
        self._links: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def mend(self) -> None:
        """New links work again; of the old ones something is missing, so they end."""
        self.silent = False
        links, self._links = self._links, []
        for link in links:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                upstream = socket.create_connection((HOST, self._upstream_port), timeout=30)
                upstream.settimeout(None)
            except OSError:
                client.close()
                continue
            self._links += [client, upstream]
            threading.Thread(target=self._pump, args=(client, upstream), daemon=True).start()
            threading.Thread(target=self._pump, args=(upstream, client), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(65_536):
                if not self.silent:
                    sink.sendall(part)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # else the port stays taken while the thread waits for a client
        self._listener.close()
        self.mend()


@contextmanager
def half_open(upstream_port: int, port: int = 0) -> Iterator[HalfOpen]:
    proxy = HalfOpen(upstream_port, port)
    try:
        yield proxy
    finally:
        proxy.close()
