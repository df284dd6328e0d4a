"""A way to a server on which answers get lost: the request has arrived and is done, and the client never hears of it."""

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from uns.runtime.ports import HOST


class Cutting:
    """Passes connections on; of each part of an answer with this probability nothing, and the link is cut."""

    def __init__(self, upstream_port: int, share: float, seed: int = 7) -> None:
        self._upstream_port, self.share, self._chance = upstream_port, share, random.Random(seed)
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = self.passed = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                upstream = socket.create_connection((HOST, self._upstream_port), timeout=30)
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._pump, args=(client, upstream, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(upstream, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while part := source.recv(65_536):
                if answers and self._chance.random() < self.share:
                    self.cuts += 1
                    break
                sink.sendall(part)
                self.passed += answers
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def close(self) -> None:
        self._listener.close()


@contextmanager
def cutting(upstream_port: int, share: float) -> Iterator[Cutting]:
    proxy = Cutting(upstream_port, share)
    try:
        yield proxy
    finally:
        proxy.close()
