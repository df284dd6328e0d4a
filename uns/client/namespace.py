"""The namespace as a Python program sees it: subscribe, history, publish; blocking. `aio` is the same with `async`."""

from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Any

from processors.base import Rejection
from processors.inputs.admission import Admission
from schemas.codec import Codec
from schemas.records import FACT_TYPES, Fact
from topology.model.loader import PlantError, load
from topology.namespace.classes import DERIVED, MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import Path
from uns.client.connection import codec, connection
from uns.client.history import History, Instant, instant
from uns.client.subscribe import Begin, Subscription
from uns.errors import UserError
from uns.kafka.publish import NotPublished, Publisher
from uns.runtime.running import environment
from uns.runtime.settings import Settings

Filters = str | Sequence[str]
"""MQTT filters over paths: `acme/+/packaging/#`."""
INGEST_MARGIN_US = 3_600_000_000
"""No record is ingested longer before its own time: the broker refuses source times further ahead."""


def settings_of(bootstrap: str | None, registry: str | None, more: dict[str, Any]) -> Settings:
    """Arguments, else the environment (`UNS_*`), else a demo that runs here. Raises `UserError` without a broker."""
    given = {"bootstrap": bootstrap, "registry": registry, **more}
    given = {name: value for name, value in given.items() if value is not None}
    if bootstrap is not None:
        return Settings(**given)
    return connection().model_copy(update=given)


class Namespace:
    """An open connection; close it, or use it in a `with`. It only reads in the schema registry, until a fact is published
    whose schema nobody has registered. One thread at a time.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises `UserError` when neither the registry nor the cache of its schemas answers."""
        self.settings = settings
        self._codec: Codec = codec(settings)
        self._publisher: Publisher | None = None
        self._admission: Admission | None = None
        self._open: list[Subscription] = []

    def subscribe(
        self,
        filters: Filters,
        classes: Collection[str] = DERIVED,
        *,
        begin: Begin = "now",
        group: str | None = None,
        follow: bool = True,
        records: Collection[str] = (),
    ) -> Subscription:
        """Records as they come, to iterate over. `classes`: message classes, all derived ones by default. `records`: names
        of record types, where a class carries several.

        `begin`: `now`, `beginning`, or an ingest time in milliseconds. `group`: a name under which positions are kept,
        so that the next run goes on where this one stopped, at least once. `follow=False` ends at the present end.
        Raises `NothingMatches`, `ValueError` for a filter or class that is none, and `KafkaException`.
        """
        subscription = Subscription(
            self.settings,
            self._codec,
            _filters(filters),
            [MessageClass(name) for name in classes],
            begin,
            follow,
            records,
            group=group,
        )
        self._open.append(subscription)
        return subscription

    def history(
        self,
        filters: Filters,
        start: Instant,
        end: Instant,
        classes: Collection[str] = DERIVED,
        *,
        every_revision: bool = False,
        records: Collection[str] = (),
    ) -> History:
        """What was said about [start, end) in event time: an iterable, with `table()`, `tables()` and `frame()`. Nothing
        is read before one of them is asked. Raises `ValueError`.
        """
        begin_us, end_us = instant(start), instant(end)
        wanted, chosen = _filters(filters), [MessageClass(name) for name in classes]
        # A plant whose clock runs faster than the wall's says things before Kafka's own time of them.
        scaled = self.settings.clock is not None
        begin: Begin = "beginning" if scaled else max(0, (begin_us - INGEST_MARGIN_US) // 1000)

        def read() -> Subscription:
            return Subscription(self.settings, self._codec, wanted, chosen, begin, follow=False, records=records)

        return History(read, begin_us, end_us, every_revision)

    def publish(self, path: str | Path, fact: Fact, source: str = "uns-client", *, force: bool = False) -> int:
        """Puts a fact (an Order, Shift, Reason, Acknowledge, Shelve, Limits, …: any of `FACT_TYPES`) on its line or cell, and
        waits until Kafka has it. `source`: who says it. Returns its offset. Raises `NotPublished`, `BadPath`, and `TypeError`
        for a record that only the processors may write.

        What the plant model does not take (an unknown place, a reason code that the type does not know, a text that is too
        long) is not published, if not by `force`. Where the folder of the model (`plant`) is not on this machine, nothing
        is checked. Raises `UserError` for a model that is there and cannot be read.
        """
        if not isinstance(fact, FACT_TYPES):
            names = ", ".join(kind.__name__ for kind in FACT_TYPES)
            raise TypeError(f"{type(fact).__name__} is no fact; there are {names}")
        place = Path.parse(path) if isinstance(path, str) else path
        if not force and (refused := self._refusal(place, fact)) is not None:
            raise NotPublished(f"{refused.message}; force=True publishes it all the same")
        if self._publisher is None:
            self._publisher = Publisher(self.settings, self._codec)
        return self._publisher.fact(place, fact, source)

    def _refusal(self, place: Path, fact: Fact) -> Rejection | None:
        """What the plant model says against a fact; nothing, where the model is not here."""
        folder = self.settings.plant
        if self._admission is None and folder.exists():
            try:
                self._admission = Admission(load(folder, environment()))
            except PlantError as error:
                raise UserError(f"the plant model in {folder} cannot be used:\n{error}") from error
        return None if self._admission is None else self._admission.whole_refusal(str(place), fact)

    def close(self) -> None:
        """Ends all subscriptions; a group's positions are committed. Idempotent."""
        while self._open:
            self._open.pop().close()

    def __enter__(self) -> "Namespace":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect_sync(bootstrap: str | None = None, registry: str | None = None, **settings: Any) -> Namespace:
    """Connects; arguments go before the environment (UNS_BOOTSTRAP, UNS_REGISTRY, and any other setting by its name).

    Raises `UserError` when no broker is named or no registry answers.
    """
    return Namespace(settings_of(bootstrap, registry, settings))


def _filters(filters: Filters) -> list[Filter]:
    return [Filter.parse(text) for text in ([filters] if isinstance(filters, str) else filters)]
