"""Records of any filter, class and span as tables in files: from Kafka, and from the historian what Kafka keeps no more."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.codec import Codec
from schemas.records import TYPES, Derived, Record, Samples
from schemas.text import iso
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import Path as Place
from uns.client.frame import table
from uns.client.history import History
from uns.client.namespace import INGEST_MARGIN_US
from uns.client.subscribe import Begin, NothingMatches, Received, Subscription
from uns.errors import UserError
from uns.export.columns import Row, TableFile, batches
from uns.history.historian import Historian
from uns.history.kept import NEVER, kept_from
from uns.runtime.settings import Settings


@dataclass(frozen=True)
class Asked:
    """What is exported: of which places, in [begin, end) µs UTC of event time, as which format, into which folder."""

    filters: Sequence[Filter]
    begin: int
    end: int
    format: str
    folder: Path


class Export:
    """Raises `UserError`: where a part of the span is nowhere any more, too, unless `partial`."""

    def __init__(
        self,
        settings: Settings,
        codec: Codec,
        asked: Asked,
        historian: Historian | None,
        partial: bool,
        say: Callable[[str], None],
    ) -> None:
        self._settings, self._codec, self._asked = settings, codec, asked
        self._historian, self._partial, self._say = historian, partial, say

    def run(self, message_class: MessageClass, records: Sequence[str] = ()) -> list[tuple[Path, int]]:
        """Writes the files of one class, one a record type; (file, rows) of each. `records`: only these types."""
        cut = self._cut(message_class)
        if message_class is MessageClass.RAW and (not records or Samples.__name__ in records):
            written = [self._samples(cut)]
            others = [name for name in records if name != Samples.__name__]
            return written + (self._records(message_class, others, cut) if others else [])
        return self._records(message_class, records, cut)

    def _cut(self, message_class: MessageClass) -> int:
        """The event time from which on Kafka has everything; what is older comes from the historian."""
        topics = self._topics(message_class)
        kept = kept_from(self._settings, topics) if topics else NEVER
        begin = self._asked.begin
        if kept is None or kept <= begin:
            return begin
        if self._settings.clock is not None and topics:
            # The plant's clock is not Kafka's: what Kafka keeps is all that can be said.
            self._say(f"{message_class}: the plant's clock is scaled; only what Kafka keeps is exported")
            return begin
        words = (
            f"{message_class}: Kafka has all only from {iso(kept)} on"
            if kept < NEVER
            else f"{message_class}: Kafka has nothing"
        )
        if self._historian is not None:
            self._say(f"{words}; what is older comes from the historian")
            return min(kept, self._asked.end)
        if not self._partial:
            raise UserError(f"{words}; begin there, name a --historian, or take what there is with --partial")
        self._say(f"{words}; what is older is missing")
        return begin

    def _topics(self, message_class: MessageClass) -> list[str]:
        try:
            with self._open(message_class, "now", ()) as subscription:
                return subscription.topics
        except NothingMatches:
            return []

    def _open(self, message_class: MessageClass, begin: Begin, records: Sequence[str]) -> Subscription:
        return Subscription(
            self._settings, self._codec, self._asked.filters, [message_class], begin, follow=False, records=records
        )

    # -- samples -----------------------------------------------------------------------------------------------

    def _samples(self, cut: int) -> tuple[Path, int]:
        with TableFile(self._asked.folder / f"{Samples.__name__}.{self._asked.format}", self._asked.format) as file:
            for batch in batches(self._rows(cut)):
                file.write(batch)
        return file.file, file.rows

    def _rows(self, cut: int) -> Iterator[Row]:
        """Each sample once: the historian's before `cut`, Kafka's from there on."""
        if cut > self._asked.begin and self._historian is not None:
            for path, tag in self._historian.tags(self._asked.filters):
                for held in self._historian.samples(path, tag, self._asked.begin, cut):
                    yield held.path, held.sample, held.source
        for item in self._read(MessageClass.RAW, (Samples.__name__,), cut, every=True):
            if isinstance(item.record, Samples):
                for sample in item.record.samples:
                    if cut <= sample.at < self._asked.end:
                        yield str(item.path), sample, item.record.source

    def _read(self, message_class: MessageClass, records: Sequence[str], cut: int, every: bool) -> Iterator[Received]:
        if cut >= self._asked.end:
            return
        scaled = self._settings.clock is not None
        begin: Begin = "beginning" if scaled else max(0, (cut - INGEST_MARGIN_US) // 1000)
        history = History(lambda: self._open(message_class, begin, records), cut, self._asked.end, every)
        try:
            yield from history
        except NothingMatches:
            return
        if history.problems:
            self._say(f"{len(history.problems)} records cannot be read, the first: {history.problems[0].problem}")

    # -- other records -----------------------------------------------------------------------------------------

    def _records(self, message_class: MessageClass, records: Sequence[str], cut: int) -> list[tuple[Path, int]]:
        """In memory, as they are few beside samples: of a derived fact its newest revision alone."""
        found: dict[str, dict[object, Received]] = {}
        for number, item in enumerate(
            (*self._older(message_class, cut), *self._read(message_class, records, cut, False))
        ):
            record = item.record
            assert record is not None
            fact = record.natural_id if isinstance(record, Derived) else number
            found.setdefault(type(record).__name__, {})[fact] = item
        return [self._write(TYPES[name], list(items.values())) for name, items in sorted(found.items())]

    def _older(self, message_class: MessageClass, cut: int) -> Iterator[Received]:
        if cut <= self._asked.begin or self._historian is None:
            return
        if message_class is MessageClass.RAW:
            self._say("raw: facts are taken from Kafka alone")
            return
        for record in self._historian.records(message_class, self._asked.begin, cut):
            path = Place.parse(record.path)
            if any(each.matches(path) for each in self._asked.filters):
                yield Received("", -1, -1, path, message_class, 0, b"", record, None, ())

    def _write(self, kind: type[Record], items: list[Received]) -> tuple[Path, int]:
        name = f"{kind.__name__}.{self._asked.format}"
        with TableFile(self._asked.folder / name, self._asked.format) as file:
            file.write(table(kind, items))
        return file.file, file.rows
