"""Following a record through the raw log: facts that may concern it, and the samples between its revisions."""

from collections.abc import Callable

from schemas.codec import Codec, Undecodable
from schemas.records import FACT_TYPES, RAW_TYPES, Samples, Tick
from uns.history.audit.result import Audit
from uns.history.evidence import Cause, ListedRecord, ToldFact
from uns.history.logs import Logs

Progress = Callable[[str, int, int], None]
"""Called with what is read, how many records of it, and of how many."""


class Trail:
    """Passes over the raw log: facts that may concern the window, samples between the revisions, records to list."""

    def __init__(self, made: Audit, codec: Codec, lateness_us: int, most: int, logs: Logs, progress: Progress) -> None:
        self.facts: list[ToldFact] = []
        self.since_ms = 0
        """Kafka's time from which on facts were looked for; 0: all that is kept."""
        self._made = made
        self._codec = codec
        self._lateness_us = lateness_us
        self._most = most
        self._logs = logs
        self._progress = progress
        self._place = made.record.inputs.topic, made.record.inputs.partition
        self._places = {place.encode() for place in made.window.places}
        self._cells = f"{made.window.path}/".encode()
        """Of a line: its machines' records are its own."""
        self._now = 0
        self._marks = {made.record.inputs.first_offset, made.record.inputs.last_offset}
        self._listed: set[int] = set()
        """Marks that have been listed: they may be met twice."""
        self._causes = [revision.cause for revision in made.revisions if revision.cause is not None]
        self.start = 0
        """What is before was not read, but for single records."""

    def back_to(self, time_ms: int) -> None:
        """Looks for facts from so long ago on."""
        start = self._logs.offset_at(*self._place, max(time_ms, 0))
        self.since_ms = max(time_ms, 0) if start > self._logs.bounds(*self._place)[0] else 0
        if start < self.start:
            self.read(start, self.start, False)
            self.start = start

    def read(self, start: int, end: int, samples: bool) -> None:
        """Reads [start, end); `samples`: not only facts."""
        names = {kind.__name__ for kind in FACT_TYPES}
        name = f"{self._place[0]}[{self._place[1]}]"
        for count, source in enumerate(self._logs.read(*self._place, start, end)):
            if count % 20_000 == 0:
                self._progress(name, source.offset - start, end - start)
            kind = self._codec.kind(source.value)
            asked = samples or kind in names or kind is None
            mine = asked and (source.key in self._places or (source.key or b"").startswith(self._cells))
            if mine or (kind == "Tick" and samples) or source.offset in self._marks:
                self._take(source.offset, source.timestamp, source.key, source.value)
        self._progress(name, end - start, end - start)

    def _take(self, offset: int, ingested_ms: int, key: bytes | None, value: bytes | None) -> None:
        try:
            record = self._codec.decode(value)
        except Undecodable:
            return  # in quarantine: no part of any number
        path = (key or b"").decode(errors="replace")
        made, window = self._made, self._made.window
        listed = offset in self._marks
        if isinstance(record, Tick):
            self._now = max(self._now, record.at)
        elif isinstance(record, Samples):
            within = window.samples(record)
            if within and f"{path}/".encode().startswith(self._cells):
                floor = self._now - self._lateness_us
                late = window.within(record, floor)
                if (cause := self._cause(offset)) is not None:
                    cause.saw(offset, within, late)
                listed = True
        elif isinstance(record, FACT_TYPES):
            self.facts.append(ToldFact(path, record, offset, ingested_ms))
            listed = listed or window.concerns(made.subject.natural, record)
        if listed and isinstance(record, RAW_TYPES) and offset not in self._listed:
            made.raw_records += 1
            self._listed |= {offset} & self._marks
            if len(made.raw) < self._most:
                made.raw.append(ListedRecord(path, record, offset, ingested_ms))

    def _cause(self, offset: int) -> Cause | None:
        return next((cause for cause in self._causes if cause.after < offset <= cause.upto), None)
