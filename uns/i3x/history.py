"""The past of objects: from the historian where the plant has one, else from Kafka as far as it keeps it. Blocking."""

import threading
from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from schemas.codec import Codec
from schemas.records import Derived, Sample, Samples
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import Path
from uns.client.history import History
from uns.client.namespace import INGEST_MARGIN_US
from uns.client.subscribe import Begin, NothingMatches, Subscription
from uns.history.historian import Historian
from uns.i3x.board import WINDOW
from uns.i3x.space import Element, Space
from uns.i3x.vqt import Vqt, nothing, of_record, of_sample
from uns.runtime.settings import Settings

VALUES_MAX = 100_000
"""Of all objects of one request; what is beyond makes the answer partial."""


class Past(Protocol):
    """Where the past is read. Raises `UserError` and `KafkaException`."""

    def samples(self, path: str, tag: str, begin: int, end: int) -> Iterator[Sample]:
        """Samples of a tag in [begin, end), oldest first."""

    def records(self, message_class: str, path: str, begin: int, end: int) -> Iterator[Derived]:
        """Records of a class that begin in [begin, end), oldest first."""


class HistorianPast:
    def __init__(self, historian: Historian) -> None:
        self._historian = historian

    def samples(self, path: str, tag: str, begin: int, end: int) -> Iterator[Sample]:
        return (held.sample for held in self._historian.samples(path, tag, begin, end, VALUES_MAX + 1))

    def records(self, message_class: str, path: str, begin: int, end: int) -> Iterator[Derived]:
        return self._historian.records(message_class, begin, end, path, None)


class KafkaPast:
    """Reads the topics of a place from about the begin on; one question at a time, for each reads a whole partition."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self._settings, self._codec = settings, codec
        self._one = threading.Lock()

    def samples(self, path: str, tag: str, begin: int, end: int) -> Iterator[Sample]:
        found = [
            sample
            for item in self._read(path, MessageClass.RAW, begin, end)
            if isinstance(item, Samples)
            for sample in item.samples
            if sample.tag == tag and begin <= sample.at < end
        ]
        return iter(sorted(found, key=lambda sample: sample.at))

    def records(self, message_class: str, path: str, begin: int, end: int) -> Iterator[Derived]:
        found = self._read(path, MessageClass(message_class), begin, end)
        return iter(sorted((each for each in found if isinstance(each, Derived)), key=lambda each: each.started_at))

    def _read(self, path: str, message_class: MessageClass, begin: int, end: int) -> list[object]:
        wanted = [Filter(Path.parse(path).segments)]
        scaled = self._settings.clock is not None
        from_ms: Begin = "beginning" if scaled else max(0, (begin - INGEST_MARGIN_US) // 1000)
        records = (Samples.__name__,) if message_class is MessageClass.RAW else ()

        def open_() -> Subscription:
            return Subscription(
                self._settings, self._codec, wanted, [message_class], from_ms, follow=False, records=records
            )

        with self._one:
            try:
                return [item.record for item in History(open_, begin, end, every=False)]
            except NothingMatches:
                return []


def values(past: Past, space: Space, element: Element, begin: int, end: int, most: int) -> tuple[list[Vqt], bool]:
    """An object's values of [begin, end], oldest first, at most `most`; and whether there are more.

    Where nothing was said, one value says so. Places and machines have no past of their own: their tags and streams have.
    """
    found = list(islice(_values(past, space, element, begin, end), most + 1))
    return found[:most] or [nothing(begin)], len(found) > most


def _values(past: Past, space: Space, element: Element, begin: int, end: int) -> Iterator[Vqt]:
    if element.tag is not None:
        schema = space.types[element.type_id].schema
        for sample in past.samples(element.path, element.tag, begin, end + 1):
            yield of_sample(sample, False, schema)
    elif element.stream is not None:
        for record in past.records(element.stream, element.path, begin, end + 1):
            if not record.withdrawn and getattr(record, "window", WINDOW) == WINDOW:
                yield of_record(record, record.started_at)
