"""The one step that our engine, Quix Streams and the bare loop share; `bench/java/StateChanges.java` is the same in Java.

A path's last value and the offset it came with are its state. A sample with another value gives one `State` record:
`state` says "from>to", `started_at` when, `inputs` the offsets of both. So 1.5 million changes are 1.5 million outputs,
in the input's order, and every engine must write the same bytes.
"""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from processors.base import Input, Rejection
from schemas.records import TYPES, Derived, Inputs, Samples, State, Value

IDS = {name: number for number, name in enumerate(TYPES, start=1)}
"""Schema ids of all bench processes; there is no registry here."""

Last = tuple[Value, int]
"""A path's last value, and the offset of its record."""
NONE: Last = ("", 0)


def step(last: Last, record: Samples, path: str, topic: str, partition: int, offset: int) -> tuple[Last, list[State]]:
    """The path's new state, and a record for each sample whose value is another than the one before."""
    changes = []
    before, since = last
    for sample in record.samples:
        value = sample.value
        if value != before:
            changes.append(
                State(
                    id=f"{path}#state@{sample.at}~bench@1:0",
                    path=path,
                    started_at=sample.at,
                    ended_at=None,
                    definition="bench@1",
                    status="final",
                    revision=0,
                    inputs=Inputs(topic, partition, since, offset),
                    state=f"{before}>{value}",
                    mode="production",
                    element="APT",
                )
            )
            before, since = value, offset
    return (before, since), changes


class ChangeFold:
    """The step as a fold of our engine: state in memory, the keys that changed in each transaction's changelog.

    `tells=False`: state alone, no output, as of a fold that says something only when a window closes.
    """

    state_version = 1
    horizon_us = 0
    watermark = 0

    def __init__(self, tells: bool = True) -> None:
        self._tells = tells
        self._last: dict[str, Last] = {}
        self._changed: set[str] = set()

    def step(self, item: Input) -> list[Derived | Rejection]:
        record = item.record
        if type(record) is not Samples:
            return []
        path = item.path
        self._last[path], changes = step(
            self._last.get(path, NONE), record, path, item.topic, item.partition, item.offset
        )
        self._changed.add(path)
        return changes if self._tells else []  # type: ignore[return-value]

    def changes(self) -> Mapping[str, bytes | None]:
        packed: dict[str, bytes | None] = {path: msgspec.msgpack.encode(self._last[path]) for path in self._changed}
        self._changed.clear()
        return packed

    def restore(self, key: str, value: bytes) -> None:
        self._last[key] = msgspec.msgpack.decode(value, type=Last)

    @property
    def dropped(self) -> Mapping[str, int]:
        return {}

    def adopt(self, published: Iterable[Derived], since: int, trimmed: Collection[str]) -> list[Derived]:
        """What it says depends on the log alone and is never revised."""
        return []
