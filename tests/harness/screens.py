"""Every screen of ours over a small plant, served without a broker: its feed says what a test puts."""

import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import uvicorn
from starlette.middleware import Middleware

from schemas.records import Derived
from tests.harness.plant_records import T0, records
from tests.harness.serving import serving
from topology.model.plant import Plant
from uns.runtime.ports import HOST, free_port
from uns.web.access.door import Door
from uns.web.access.gate import Gate
from uns.web.access.store import Store
from uns.web.act.deed import Word
from uns.web.act.desk import Desk
from uns.web.act.routes import routes
from uns.web.app import Site, create
from uns.web.board import Board
from uns.web.browser import spec as topics
from uns.web.browser.catalog import Catalog
from uns.web.feed import Feed
from uns.web.namespace import Namespace
from uns.web.screen import Screens, registered

LINE = "acme/dallas/packaging/line-1"
ZONE = "Europe/Berlin"


CELLS = {"filler": "machine", "packer": "machine"}
PLANT = Plant.model_validate(
    {
        "namespace": {
            "enterprise": "acme",
            "sites": {"dallas": {"areas": {"packaging": {"lines": {"line-1": {"cells": CELLS}}}}}},
        },
        "types": {
            "machine": {
                "ideal_cycle_s": 1.0,
                "tags": {
                    "State": {"role": "state", "map": "packml"},
                    "Good": {"role": "good_count"},
                    "FillVolume": {"role": "characteristic", "unit": "ml"},
                },
                "reasons": {
                    101: {"name": "jam", "category": "micro"},
                    201: {"name": "gripper fault", "category": "breakdown"},
                },
            }
        },
    }
)


class Records:
    """A subscription to what the test puts."""

    def __init__(self) -> None:
        self._put: queue.SimpleQueue[Derived] = queue.SimpleQueue()

    def put(self, *told: Derived) -> None:
        for record in told:
            self._put.put(record)

    def poll(self) -> list[Any]:
        """All that was put by now."""
        told: list[Any] = []
        try:
            while len(told) < 5_000:
                record = self._put.get(timeout=0.0 if told else 0.05)
                told.append(SimpleNamespace(record=record, removed=False, path=""))
        except queue.Empty:
            pass
        return told

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
    catalog: Catalog = field(default_factory=lambda: Catalog.of(PLANT))
    records: Records = field(default_factory=Records)
    troubles: list[dict[str, Any]] = field(default_factory=list)
    told: list[tuple[str, Word]] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    began: float = field(default_factory=time.monotonic)
    store: Store | None = None
    """With it, visitors have to sign in."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def now(self) -> int:
        """Plant time: it goes as ours does."""
        return T0 + int((time.monotonic() - self.began) * 1e6)

    @property
    def screens(self) -> Screens:
        shared = {
            name: (spec, self.board) for name, spec in registered().items() if spec.picture.__name__ == "board_of"
        }
        return {**shared, "topics": (topics, self.catalog)}

    async def tell(self, path: str, fact: Word) -> str | None:
        self.told.append((path, fact))
        return None

    @contextmanager
    def serving(self) -> Iterator["Pages"]:
        feed = Feed([self.board.apply, self.namespace.apply, self.catalog.apply], lambda: self.records, limit_s=3600)  # type: ignore[arg-type,return-value]
        door = Door(self.store).routes() if self.store is not None else []
        gate = [Middleware(Gate, store=self.store)] if self.store is not None else []
        site = Site(
            self.screens,
            self.namespace,
            feed,
            self.now,
            zones={"acme/dallas": ZONE},
            routes=[*routes(Desk(PLANT, self.tell, self.now, self.board.book), PLANT), *door],
            middleware=gate,
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
