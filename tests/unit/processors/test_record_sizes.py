"""The largest records that follow from the longest texts that are taken: below what topics take, with room beside."""

from typing import Any

import msgspec

from processors.cell.cell import CHARACTERISTICS_MAX
from processors.derive.current import TEXTS_MAX_BYTES
from schemas.codec import Codec
from schemas.lengths import CUT_MARK, NAME_MAX
from schemas.records import (
    TYPES,
    Current,
    Inspection,
    Kpi,
    KpiStops,
    Lot,
    Order,
    Raw,
    Reason,
    Sample,
    Samples,
    Shift,
    Tick,
    Value,
)
from tests.harness.line_logs import Run
from topology.cluster import MESSAGE_MAX_BYTES
from topology.model.equipment import REASONS_MAX, EquipmentType
from topology.model.plant import Plant
from uns.kafka.message import message, size_of

CODEC = Codec({name: number for number, name in enumerate(TYPES, start=1)})
T0 = 1_795_413_600_000_000
MINUTE = 60_000_000
TAGS_MAX: int = EquipmentType.model_fields["other_tags_max"].default
ROOM = 4
"""So many times less than a topic takes."""


def longest(number: int, characters: int = NAME_MAX) -> str:
    """Four bytes a character."""
    return f"{number:04d}".ljust(characters, "𝄞")


SEGMENT = "a" * 32
CELL = "/".join(SEGMENT.replace("a", letter) for letter in "abcde")
LINE = CELL.rpartition("/")[0]


def plant(text_max: int = 1_024) -> Plant:
    enterprise, site, area, line, cell = CELL.split("/")
    roles: dict[str, Any] = {
        "State": {"role": "state", "map": {6: "execute", 2: "stopped"}},
        "Good": {"role": "good_count"},
    }
    roles |= {longest(n): {"role": "characteristic", "lsl": 0.0, "usl": 2.0} for n in range(CHARACTERISTICS_MAX)}
    return Plant.model_validate(
        {
            "namespace": {
                "enterprise": enterprise,
                "sites": {site: {"areas": {area: {"lines": {line: {"cells": {cell: "machine"}}}}}}},
            },
            "types": {
                "machine": {
                    "tags": roles,
                    "ideal_cycle_s": 1.0,
                    "silent_after_s": None,
                    "text_max": text_max,
                    "reasons": {n: {"name": longest(n), "category": "breakdown"} for n in range(1, REASONS_MAX + 1)},
                }
            },
            "kpi": {"definition": "iso22400@2"},
        }
    )


def samples(at: int, **values: Value) -> tuple[str, Raw]:
    return CELL, Samples(longest(0), at, tuple(Sample(tag, at, value) for tag, value in values.items()))


def day(texts: dict[str, str]) -> list[tuple[str, Raw]]:
    """Two hours with an order, a lot, a stop and its reason each ten minutes, and all texts as long as they may be."""
    told: list[tuple[str, Raw]] = [(LINE, Tick(at=T0, worker="w")), samples(T0, State=6, Good=0)]
    told += [samples(T0, **{tag: text}) for tag, text in texts.items()]  # a record each: raw has its own limit
    for n in range(12):
        at = T0 + n * 10 * MINUTE
        told += [
            (LINE, Tick(at=at + 8 * MINUTE, worker="w")),
            (LINE, Order(id=longest(n), product=longest(n), started_at=at)),
            (LINE, Shift(id=longest(n), name=longest(n), started_at=at, ended_at=at + 10 * MINUTE)),
            (CELL, Lot(id=longest(n), material=longest(n), supplier=longest(n), started_at=at)),
            (CELL, Inspection(id=longest(n), characteristic=longest(n), at=at, value=5.0, by=longest(n))),
            (
                CELL,
                Reason(id=longest(n), code=n + 1, started_at=at + MINUTE, by=longest(n), comment=longest(n, 9_000)),
            ),
            samples(at, State=6, **dict.fromkeys((longest(c) for c in range(CHARACTERISTICS_MAX)), 1.0 + n % 2)),
            samples(at + MINUTE, State=2),
            samples(at + 8 * MINUTE, State=6, Good=100 * n),
            (LINE, Tick(at=at + 10 * MINUTE, worker="w")),
        ]
    return [*told, (LINE, Tick(at=T0 + 180 * MINUTE, worker="w"))]


def sizes(run: Run) -> dict[str, int]:
    """Message class → bytes of its largest record."""
    largest: dict[str, int] = {}
    for record in run.records:
        size = size_of(message(record, CODEC))
        largest[record.message_class] = max(size, largest.get(record.message_class, 0))
    return largest


def test_fourteen_tags_of_the_longest_text() -> None:
    run = Run(plant(16_000)).feed(day({longest(n): longest(n, 16_000) for n in range(1_000, 1_014)}))
    assert not run.rejections
    largest = sizes(run)
    assert {"state", "oee", "kpi", "cycle", "quality", "alert", "downtime", "current", "changeover"} <= largest.keys()
    assert max(size for name, size in largest.items() if name != "current") < MESSAGE_MAX_BYTES / ROOM, largest
    assert largest["current"] < MESSAGE_MAX_BYTES, largest
    snapshots = [record for record in run.records if isinstance(record, Current)]
    texts = [tag.value for tag in snapshots[-1].tags if isinstance(tag.value, str)]
    assert len(texts) == 14
    assert all(len(text) < 16_000 and text.endswith(CUT_MARK) for text in texts)


def test_as_many_tags_as_a_machine_may_have() -> None:
    unread = TAGS_MAX - CHARACTERISTICS_MAX - 2
    run = Run(plant()).feed(day({longest(n): longest(n, 1_024) for n in range(1_000, 1_000 + unread)}))
    assert not run.rejections
    newest = [record for record in run.records if isinstance(record, Current)][-1]
    assert len(newest.tags) >= unread
    assert sum(len(str(tag.value).encode()) for tag in newest.tags) < TEXTS_MAX_BYTES + 20 * TAGS_MAX
    assert sizes(run)["current"] < MESSAGE_MAX_BYTES


def test_short_texts_are_whole() -> None:
    run = Run(plant()).feed(day({longest(n): longest(n, 200) for n in range(1_000, 1_014)}))
    newest = [record for record in run.records if isinstance(record, Current)][-1]
    assert [tag.value for tag in newest.tags if tag.tag == longest(1_000)] == [longest(1_000, 200)]


def test_a_stop_of_every_reason_in_one_window() -> None:
    run = Run(plant()).feed(day({}))
    kpi = max((record for record in run.records if isinstance(record, Kpi)), key=lambda r: len(CODEC.encode(r)))
    stops = tuple(
        KpiStops(reason_code=n, reason=longest(n), category=longest(n), count=1 << 40, stopped_us=1 << 60)
        for n in range(REASONS_MAX)
    )
    assert size_of(message(msgspec.structs.replace(kpi, stops=stops), CODEC)) < MESSAGE_MAX_BYTES
