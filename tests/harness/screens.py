"""Every screen of ours over a small plant, served without a broker: its feed says what a test puts."""

import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import uvicorn

from schemas.records import Derived, Fact
from tests.harness.plant_records import T0, records
from tests.harness.serving import serving
from uns.runtime.ports import HOST, free_port
from uns.web.acknowledge import acknowledge
from uns.web.app import Site, create
from uns.web.board import Board
from uns.web.feed import Feed
from uns.web.namespace import Namespace
from uns.web.screen import Screens, registered

LINE = "acme/dallas/packaging/line-1"
ZONE = "Europe/Berlin"


class Records:
    """A subscription to what the test puts."""

    def __init__(self) -> None:
        self._put: queue.SimpleQueue[Derived] = queue.SimpleQueue()

    def put(self, *told: Derived) -> None:
        for record in told:
            self._put.put(record)

    def poll(self) -> list[Any]:
        try:
            return [SimpleNamespace(record=self._put.get(timeout=0.05), removed=False, path="")]
        except queue.Empty:
            return []

    def __enter__(self) -> "Records":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@dataclass
class Pages:
    """A page's process in a thread."""

    board: Board = field(
        default_factory=lambda: Board(promise_s=600, oee_target=0.75, units={(f"{LINE}/filler", "FillVolume"): "ml"})
    )
    namespace: Namespace = field(default_factory=Namespace)
    records: Records = field(default_factory=Records)
    troubles: list[dict[str, Any]] = field(default_factory=list)
    told: list[tuple[str, Fact]] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    began: float = field(default_factory=time.monotonic)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def now(self) -> int:
        """Plant time: it goes as ours does."""
        return T0 + int((time.monotonic() - self.began) * 1e6)

    @property
    def screens(self) -> Screens:
        return {name: (spec, self.board) for name, spec in registered().items() if spec.picture.__name__ == "board_of"}

    async def tell(self, path: str, fact: Fact) -> str | None:
        self.told.append((path, fact))
        return None

    @contextmanager
    def serving(self) -> Iterator["Pages"]:
        feed = Feed([self.board.apply, self.namespace.apply], lambda: self.records, limit_s=3600)  # type: ignore[arg-type,return-value]
        site = Site(
            self.screens,
            self.namespace,
            feed,
            self.tell,
            self.now,
            zones={"acme/dallas": ZONE},
            acts={"acknowledge": acknowledge},
            troubles=lambda: self.troubles,
        )
        config = uvicorn.Config(create(site), port=self.port, log_level="critical", ws="websockets-sansio", timeout_graceful_shutdown=1)  # fmt: skip
        with serving(config, self.port):
            yield self


@contextmanager
def pages() -> Iterator[Pages]:
    """Screens that show a line of two machines, one of them held."""
    shown = Pages()
    shown.records.put(*records())
    with shown.serving():
        yield shown
