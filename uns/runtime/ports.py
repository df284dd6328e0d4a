"""Free TCP ports on loopback, and who holds one that is not free."""

import contextlib
import random
import socket
import threading
from pathlib import Path

import psutil

from uns.errors import ServiceError

HOST = "127.0.0.1"

LOWEST = 15_000
"""Of free ports: common services listen below."""
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
"""First and last port that the system gives to whoever connects."""
USUAL_RANGE = 32_768
TRIES = 1_000

_chance = random.SystemRandom()
"""Of its own: a test that seeds the usual one would make two processes ask for the same ports."""
_lock = threading.Lock()
_given: set[int] = set()


def free_port() -> int:
    """A port nobody listens on. Never the same one twice in a process, so services may start side by side.

    Below those that the system gives to connections: whoever connects again and again to a service that is down would be
    given its very port in the end, and the service could not come back.
    """
    with _lock:
        below = _connections_begin()
        for tried in range(TRIES + 1):
            with socket.socket() as probe:
                try:
                    probe.bind((HOST, _chance.randrange(LOWEST, below) if below > LOWEST and tried < TRIES else 0))
                except OSError:
                    continue
                port = int(probe.getsockname()[1])
            if port not in _given:
                _given.add(port)
                return port
    raise ServiceError(f"no port on {HOST} is free")


def _connections_begin() -> int:
    try:
        return int(RANGE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return USUAL_RANGE


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
