"""Free TCP ports on loopback, and who holds one that is not free."""

import contextlib
import socket
import threading

import psutil

from uns.errors import ServiceError

HOST = "127.0.0.1"

_lock = threading.Lock()
_given: set[int] = set()


def free_port() -> int:
    """A port nobody listens on. Never the same one twice in a process, so services may start side by side."""
    with _lock:
        while True:
            with socket.socket() as probe:
                probe.bind((HOST, 0))
                port = int(probe.getsockname()[1])
            if port not in _given:
                _given.add(port)
                return port


def claim(port: int | None, service: str) -> int:
    """`port` if it is free, any free one for None. Raises `ServiceError` that names who holds it."""
    if port is None:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ServiceError(
                f"{service}: port {port} on {HOST} is in use by {holder(port)} ({error.strerror}). "
                f"Stop that process, or take another port: {free_port()} is free"
            ) from None
    return port


def holder(port: int) -> str:
    """`name (pid n)` of the process that listens on a port; says so when the system does not tell."""
    with contextlib.suppress(psutil.AccessDenied):
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    break
                with contextlib.suppress(psutil.NoSuchProcess):
                    return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "a process of another user"
