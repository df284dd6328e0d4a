"""Kpi records of lines, areas, sites and the enterprise from those of the machines: a second fold, over derived records.

A whole is computed from the summed facts of its parts (Σ numerators / Σ denominators), a line's by its rule
(`processors.rollup.work_center`); areas, sites and the enterprise sum lines, so that a piece counts once on its way through
machines in a row. State is the newest revision of every part within the correction horizon; what is published depends
on it alone, so the order of arrival does not matter for the numbers that stand in the end.

Hours, days and products go up to the enterprise, shifts to the site, orders to the line. A whole is provisional while
one of its parts is, or while one of its machines has not come as far as its end.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from processors.derive.oee import observation
from processors.output.identity import natural_id, revised
from processors.output.withdrawal import NOTHING_OBSERVED
from processors.rollup.observing import Observable
from processors.rollup.parts import Part, inputs, pack, reach, recorded, said, stops, unpack
from processors.rollup.places import TOP, Key, Zones, key_of, zones
from processors.rollup.work_center import WorkCenter
from processors.timeline.sums import LONG_MAX
from processors.units import HOUR
from schemas.records import Kpi
from topology.kpi.definition import KpiFormula
from topology.kpi.values import Facts, losses, total, values
from topology.model.kpis import selected
from topology.model.plant import Plant
from topology.namespace.path import Level, Path

LEVELS = (Level.LINE, Level.AREA, Level.SITE, Level.ENTERPRISE)
ROLLED_THROUGHPUT_YIELD = "rty"


class Taken(StrEnum):
    """What became of a record."""

    PART = "part"
    OWN = "own"
    """One of ours, read back."""
    PAST = "past"
    """One of ours, of a window that is no longer held."""
    KNOWN = "known"
    """Not newer than what is known."""
    LATE = "late"
    """Its window ended before the correction horizon: the other parts are no longer held."""
    OTHER_DEFINITION = "other_definition"
    UNKNOWN_ELEMENT = "unknown_element"
    """It has time elements that the definition of this name does not: one of the two was edited in place."""
    UNKNOWN_PATH = "unknown_path"
    UNKNOWN_WINDOW = "unknown_window"


class Published(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The newest revision of a record of ours, as far as the next one depends on it."""

    revision: int
    status: str
    ended_at: int | None
    digest: bytes
    """Of what it says."""


class Heard(NamedTuple):
    """Event times (µs) of a part of a place."""

    passed: int
    """All its machines have come so far."""
    newest: int
    """One has."""


class Window:
    """One window at a place."""

    __slots__ = ("parts", "published", "start", "until")

    def __init__(self) -> None:
        self.parts: dict[str, bytes] = {}
        """Natural id → the part, packed."""
        self.published: dict[int, Published] = {}
        """Begin → record. One, but for an order whose begin has moved."""
        self.start: int | None = None
        """Begin of the record that stands."""
        self.until = 0
        """Event time up to which anything is known of it."""


class Node:
    """A place and all that is known of it."""

    def __init__(self, path: Path, zones: Zones, site_kpis: dict[str, KpiFormula] | None) -> None:
        self.path, self.zones, self.site_kpis = path, zones, site_kpis
        self.windows: dict[Key, Window] = {}
        self.open: set[Key] = set()
        """Windows whose standing record is provisional."""
        self.changed: set[Key] = set()
        self.heard: dict[str, Heard] = {}
        self.time = Heard(0, 0)
        self.evicted = 0
        """Event time at the last look for windows to evict."""


class Rollup:
    """The fold. `take` records in any order, then `derive` what follows. The same records give the same numbers.

    Not thread-safe. Nothing raises for a bad record: `take` says what became of it.
    """

    def __init__(self, plant: Plant, horizon_us: int | None = None) -> None:
        """`horizon_us`: how long parts are held after a window's end; the plant's correction horizon by default."""
        self._definition = selected(plant)
        self._label = self._definition.label
        # Machines close windows a little after their end, and hear of what is late a little before we hear of time.
        self._keep_us = (round(plant.time.horizon_h * HOUR) if horizon_us is None else horizon_us) + HOUR
        self._nodes: dict[str, Node] = {}
        self._lines: dict[str, str] = {}
        self._centers: dict[str, WorkCenter] = {}
        for path, of in zones(plant).items():
            kpis = plant.namespace.sites[path.segments[1]].kpis if path.level >= Level.SITE else None
            self._nodes[str(path)] = Node(path, of, kpis)
            if path.level is Level.LINE:
                center = self._centers[str(path)] = WorkCenter(path, plant)
                self._lines |= dict.fromkeys(center.cells, str(path))
        self._observable = Observable(self._centers, zones(plant))
        self._by_level = {
            level: [n for _, n in sorted(self._nodes.items()) if n.path.level is level] for level in LEVELS
        }
        self.late: Counter[str] = Counter()
        """Level → parts that came after their window was evicted. A longer horizon takes them in."""
        self._evicted: list[str] = []

    def take(self, record: Kpi) -> Taken:
        """Takes note of a machine's record, or of one of ours that was read back."""
        if record.definition != self._label:
            return Taken.OTHER_DEFINITION
        own = self._nodes.get(record.path)
        place = own or self._nodes.get(self._lines.get(record.path, ""))
        if place is None:
            return Taken.UNKNOWN_PATH
        key = key_of(record, place.zones)
        if key is None:
            return Taken.UNKNOWN_WINDOW
        if own is not None:
            return self._note(own, key, record)
        if not record.element_us.keys() <= self._definition.elements.keys():
            return Taken.UNKNOWN_ELEMENT
        part = Part.of(record)
        time = max(part.until, place.heard.get(part.path, Heard(0, 0)).newest)
        place.heard[part.path] = Heard(time, time)
        return self._put(place, key, part)

    def derive(self) -> list[Kpi]:
        """The records that follow from what was taken since the last call, lines first, the enterprise last."""
        out: list[Kpi] = []
        for level in LEVELS:
            for node in self._by_level[level]:
                self._tell_time(node)
                for key in sorted(node.changed, key=lambda key: (key.when, key.window, key.name or "")):
                    out += self._derive(node, key)
                node.changed.clear()
        for node in self._nodes.values():
            if (node.time.newest or self._time) - node.evicted >= HOUR:
                self._evict(node)
        return out

    def restored(self) -> None:
        """Between the `take` of all that was known before a restart and the first `derive`: evicts windows of which
        only some parts were read again."""
        for level in LEVELS:
            for node in self._by_level[level]:
                self._tell_time(node)
        for node in self._nodes.values():
            self._evict(node)

    def forgotten(self) -> list[str]:
        """Natural ids of records that the state rests on no more, since the last call."""
        forgotten, self._evicted = self._evicted, []
        return forgotten

    @property
    def _time(self) -> int:
        return self._by_level[Level.ENTERPRISE][0].time.newest

    @property
    def windows(self) -> int:
        """How many windows are held."""
        return sum(len(node.windows) for node in self._nodes.values())

    def _put(self, node: Node, key: Key, part: Part) -> Taken:
        window = node.windows.get(key)
        known = None if window is None else window.parts.get(part.id)
        if known is None and part.until < node.time.newest - self._keep_us:
            self.late[node.path.level.name.lower()] += 1
            return Taken.LATE
        if known is not None and unpack(known).revision >= part.revision:
            return Taken.KNOWN
        if window is None:
            window = node.windows[key] = Window()
        window.parts[part.id] = pack(part)
        window.until = max(window.until, part.until)
        node.changed.add(key)
        return Taken.PART

    def _note(self, node: Node, key: Key, record: Kpi) -> Taken:
        if key not in node.windows and reach(record) < node.time.newest - self._keep_us:
            return Taken.PAST
        window = node.windows.setdefault(key, Window())
        known = window.published.get(record.started_at)
        if known is not None and known.revision >= record.revision:
            return Taken.KNOWN
        self._stands(node, key, window, record)
        return Taken.OWN

    def _stands(self, node: Node, key: Key, window: Window, record: Kpi) -> None:
        start = record.started_at
        window.published[start] = Published(record.revision, record.status, record.ended_at, said(record))
        window.until = max(window.until, start if record.ended_at is None else record.ended_at)
        if record.ended_at != start:
            window.start = start
        elif window.start == start:
            window.start = None
        (node.open.add if record.status == "provisional" else node.open.discard)(key)

    def _tell_time(self, node: Node) -> None:
        """How far its machines have come. One that is a whole horizon behind the others is not waited for."""
        if not node.heard:
            return
        newest = max(heard.newest for heard in node.heard.values())
        passed = min(heard.passed for heard in node.heard.values() if heard.newest >= newest - self._keep_us)
        if (time := Heard(passed, newest)) != node.time:
            node.time = time
            node.changed |= {key for key in node.open if node.windows[key].until <= newest}
        if (above := node.path.parent) is not None:
            self._nodes[str(above)].heard[str(node.path)] = node.time

    def _derive(self, node: Node, key: Key) -> Iterator[Kpi]:
        window = node.windows[key]
        parts = sorted(map(unpack, window.parts.values()), key=lambda part: (part.path, part.started_at))
        standing = [part for part in parts if not part.withdrawn]
        if not standing:
            if window.start is not None:
                yield from self._withdraw(node, key, window, window.start)
            return
        start, end = self._interval(node, key, standing)
        if window.start is not None and window.start != start:
            yield from self._withdraw(node, key, window, window.start)
        ended_at = end if end is not None and end <= node.time.newest else None
        closed = ended_at is not None and ended_at <= node.time.passed and not any(part.open for part in standing)
        facts, rule, more = self._facts(node, standing)
        # Values follow from what the record says, so from rounded quantities.
        quantities = {name: float(of) for name, of in facts.quantities.items()}
        if key.window == "order" and ended_at is not None and all("AOET" in part.quantities for part in standing):
            quantities["AOET"] = float(ended_at - start)
        facts = replace(facts, quantities=quantities)
        products = {part.product for part in standing}
        content = {
            "product": products.pop() if len(products) == 1 else None,
            "element_us": {name: min(us, LONG_MAX) for name, us in facts.element_us.items()},
            "pieces": recorded(facts.pieces),
            "quantities": quantities,
            "loss_us": {
                name: max(-LONG_MAX, min(us, LONG_MAX)) for name, us in losses(self._definition, facts).items()
            },
            "stops": stops(standing),
            "values": {**more, **values(self._definition, facts, node.site_kpis)},
            "parts": tuple(sorted({part.path for part in standing})),
            "rule": rule,
            **observation(*self._observable.of(str(node.path), key, standing), facts.stateless)._asdict(),
        }
        yield from self._publish(node, key, window, start, ended_at, closed, standing, content)

    def _interval(self, node: Node, key: Key, parts: list[Part]) -> tuple[int, int | None]:
        """Begin, and end once all parts have one."""
        if key.window in ("day", "product"):
            start, end = node.zones.day(key.when)
        else:
            start = min(part.started_at for part in parts)
            end = max(part.ended_at or 0 for part in parts)
        return start, None if any(part.ended_at is None for part in parts) else end

    def _facts(self, node: Node, parts: list[Part]) -> tuple[Facts, str | None, dict[str, float | None]]:
        """The facts of a whole, the rule they follow, and values that are no formula over them."""
        if node.path.level is not Level.LINE:
            return total(part.facts for part in parts), None, {}
        of: dict[str, list[Facts]] = {}
        for part in parts:
            of.setdefault(part.path, []).append(part.facts)
        ruled = self._centers[str(node.path)].facts({path: total(facts) for path, facts in of.items()})
        rolled = ruled.rolled_throughput_yield
        return ruled.facts, ruled.rule, {ROLLED_THROUGHPUT_YIELD: None if rolled is None else float(rolled)}

    def _publish(
        self,
        node: Node,
        key: Key,
        window: Window,
        start: int,
        ended_at: int | None,
        closed: bool,
        parts: list[Part],
        content: dict[str, Any],
    ) -> Iterator[Kpi]:
        known = window.published.get(start)
        if known is None:
            revision, status = 0, "final" if closed else "provisional"
        else:
            was_open = known.status == "provisional"
            revision = known.revision + 1
            status = ("final" if closed else "provisional") if was_open else "corrected"
        path = str(node.path)
        natural = natural_id(path, key.kind, start, self._label)
        record = Kpi(
            id=revised(natural, revision),
            path=path,
            started_at=start,
            ended_at=ended_at,
            definition=self._label,
            status=status,
            revision=revision,
            inputs=inputs(parts),
            window=key.window,
            window_name=key.window_name,
            order=key.name if key.window == "order" else None,
            **content,
        )
        same = known is not None and known.digest == said(record) and not (known.status == "provisional" and closed)
        if same:
            assert known is not None
            record = msgspec.structs.replace(
                record, id=revised(natural, known.revision), revision=known.revision, status=known.status
            )
        else:
            yield record
        self._stands(node, key, window, record)
        self._pass_on(node, key, record, window.until)

    def _withdraw(self, node: Node, key: Key, window: Window, start: int) -> Iterator[Kpi]:
        """Takes the record of a begin back."""
        known = window.published[start]
        path, revision = str(node.path), known.revision + 1
        record = Kpi(
            id=revised(natural_id(path, key.kind, start, self._label), revision),
            path=path,
            started_at=start,
            ended_at=start,
            definition=self._label,
            status="final" if known.status == "provisional" else "corrected",
            revision=revision,
            inputs=inputs([unpack(part) for part in window.parts.values()]),
            window=key.window,
            window_name=key.window_name,
            order=key.name if key.window == "order" else None,
            product=key.name if key.window == "product" else None,
            element_us=dict.fromkeys(self._definition.elements, 0),
            pieces=(),
            quantities={},
            loss_us={},
            stops=(),
            values=dict.fromkeys((*self._definition.kpis, *(node.site_kpis or ()))),
            parts=(),
            rule=None,
            **NOTHING_OBSERVED,
        )
        yield record
        self._stands(node, key, window, record)
        self._pass_on(node, key, record, window.until)

    def _pass_on(self, node: Node, key: Key, record: Kpi, until: int) -> None:
        """A record of ours is a part of the place above."""
        above = node.path.parent
        if above is not None and above.level >= TOP[key.window]:
            self._put(self._nodes[str(above)], key, msgspec.structs.replace(Part.of(record), until=until))

    def _evict(self, node: Node) -> None:
        """Evicts windows that nothing can change any more."""
        # A place that is silent since the start, with records of ours from before, goes by the enterprise's time.
        newest = node.time.newest or self._time
        edge = newest - self._keep_us
        for key, window in list(node.windows.items()):
            if window.until >= edge:
                continue
            if node.path.level is Level.LINE:
                self._evicted += window.parts
            path = str(node.path)
            self._evicted += (natural_id(path, key.kind, start, self._label) for start in window.published)
            del node.windows[key]
            node.open.discard(key)
            node.changed.discard(key)
        node.heard = {path: heard for path, heard in node.heard.items() if heard.newest >= edge}
        node.evicted = newest
