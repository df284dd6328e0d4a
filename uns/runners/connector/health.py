"""What connectors say of themselves: to metrics and health, and through their spools to who looks from beside."""

import socket
import sqlite3
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from uns.runners.connector.ledger import FILE, FOLDER

KINDS = TIMEOUT, REFUSED, NAME, TLS, NETWORK, OTHER = "timeout", "refused", "name", "tls", "network", "other"
"""Of errors of a source: it did not answer in time; nobody listens there; its name has no address; certificates; the rest of
the network; what the source itself said."""
SILENT_S = 30.0
"""A connector that runs says how it is every second; under load later."""
MACHINES_MAX = 200
"""Machines that are told; of more those that were heard longest ago."""


class Machine(msgspec.Struct, frozen=True):
    """One machine of a source."""

    last_sample_age_s: float | None
    """None: no value yet."""
    stale: bool


class SourceHealth(msgspec.Struct, frozen=True):
    """How a source is."""

    connected: bool
    """It is open and gives signs of life."""
    last_sample_age_s: float | None
    """Since anything came; None: nothing yet."""
    reconnects: int
    errors: Mapping[str, int]
    """Kind → how often the source failed."""
    machines: Mapping[str, Machine]


class Health(msgspec.Struct, frozen=True):
    """What a connector last said of itself."""

    at: int
    """µs of its machine's clock; it says it every second or so."""
    problems: tuple[str, ...]
    """Why it is not ready; empty when it is."""
    source: SourceHealth

    def age_s(self, now_s: float) -> float:
        return now_s - self.at / 1e6

    def runs(self, now_s: float) -> bool:
        """Whether it has spoken lately, by the clock of its machine (seconds)."""
        return self.age_s(now_s) < SILENT_S


def kind_of(error: BaseException) -> str:
    """The kind of an error of a source, by what caused it."""
    for cause in _causes(error):
        match cause:
            case TimeoutError():
                return TIMEOUT
            case ConnectionRefusedError():
                return REFUSED
            case socket.gaierror():
                return NAME
            case ssl.SSLError():
                return TLS
            case OSError():
                return NETWORK
    return OTHER


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def read_health(state_dir: Path) -> dict[str, Health | None]:
    """Of every connector that keeps its spool below a state folder; None of one that has said nothing yet."""
    return {file.parent.name: _health(file) for file in sorted((state_dir / FOLDER).glob(f"*/{FILE}"))}


def _health(file: Path) -> Health | None:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'health'").fetchone():
            return None
        row = connection.execute("SELECT said FROM health").fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=Health)
