"""Random lives of a line for property tests: states, modes, counters, gaps, facts; told punctually or not."""

import random
from dataclasses import dataclass, field

from schemas.records import Break, Inspection, Order, Reason, Sample, Samples, Shift, Value
from tests.harness.line_logs import BAD, CELL, HOUR, LINE, MINUTE, OTHER, T0, S, Told, ordered, samples, ticks

STATES = (6, 6, 6, 6, 2, 4, 5, 9, 11, 17, 0)


@dataclass
class Scenario:
    """What happened: samples and facts at their own times, and the ticks."""

    told: list[Told] = field(default_factory=list)
    end: int = 0
    """The last tick: every window before has closed."""

    def punctual(self) -> list[Told]:
        return ordered([*self.told, *ticks(T0, self.end, 30 * S)])


def scenario(chance: random.Random, *, minutes: int = 100) -> Scenario:
    """Some hours of two machines. Every window but the running shift's is closed at the end."""
    scene = Scenario(end=T0 + 3 * HOUR + 30 * S)
    last = T0 + minutes * MINUTE
    for path in (CELL, OTHER):
        good = scrap = rework = 0
        energy = 5.0
        at = T0 + chance.randrange(0, 10 * MINUTE)
        while at < last:
            values: dict[str, Value] = {"Heartbeat": at // S}
            if chance.random() < 0.3:
                values["State"] = chance.choice(STATES)
            if chance.random() < 0.05:
                values["Mode"] = chance.choice((1, 1, 1, 2, 3, 4))
            good = 0 if chance.random() < 0.02 else (good + chance.randrange(0, 4)) % 1000
            scrap = 0 if chance.random() < 0.02 else scrap + (chance.random() < 0.1)
            if chance.random() < 0.7:
                values |= {"Good": good, "Scrap": scrap}
            if chance.random() < 0.2:
                rework += chance.randrange(0, 2)
                energy = 0.0 if chance.random() < 0.02 else energy + chance.random()
                values |= {"Rework": rework, "Energy": energy}
            if chance.random() < 0.1:
                values["StopReason"] = chance.choice((0, 101, 201, 999))
            if chance.random() < 0.3:
                values["FillVolume"] = round(chance.gauss(500, 2), 3)
            quality = BAD if chance.random() < 0.02 else 0
            scene.told.append(samples(at, values, path=path, quality=quality))
            at += chance.choice((1, 5, 10, 20, 40, 60, 61, 120, 600) if chance.random() < 0.2 else (5, 10, 20)) * S
            at += chance.randrange(0, S)
    begin = T0 - HOUR + chance.randrange(0, 2 * HOUR)
    pause = begin + chance.randrange(0, 2 * HOUR)
    scene.told.append(
        (
            LINE,
            Shift(
                id="a",
                name="early",
                started_at=begin,
                ended_at=begin + 2 * HOUR,
                breaks=(Break(pause, pause + 10 * MINUTE),),
            ),
        )
    )
    scene.told.append((LINE, Shift(id="b", name="late", started_at=begin + 2 * HOUR, ended_at=begin + 10 * HOUR)))
    at = T0
    for n in range(chance.randrange(0, 4)):
        at += chance.randrange(1, 40 * MINUTE)
        end = at + chance.randrange(1, 60 * MINUTE)
        order = Order(
            id=f"o{n}",
            product=chance.choice("ab"),
            started_at=at,
            ended_at=None if chance.random() < 0.3 else end,
            ideal_cycle_s=chance.choice((None, 2.5)),
        )
        scene.told.append((LINE if chance.random() < 0.8 else CELL, order))
        at = end
    for n in range(chance.randrange(0, 5)):
        at = T0 + chance.randrange(0, 2 * HOUR)
        until = chance.choice((None, at + chance.randrange(0, 20 * MINUTE)))
        code = chance.choice((101, 201, 0))
        place = chance.choice((CELL, LINE))
        scene.told.append((place, Reason(id=f"r{n}", code=code, started_at=at, ended_at=until, by="ann")))
        scene.told.append((CELL, Inspection(id=f"i{n}", characteristic="FillVolume", at=at, value=501.0)))
    return scene


def delayed(chance: random.Random, scene: Scenario, most: int) -> list[Told]:
    """The same, each record told up to `most` µs late and in another order; some twice, some split in single samples."""
    arrivals: list[tuple[int, int, Told]] = []
    for n, told in enumerate(scene.told):
        path, record = told
        parts: list[Told] = [told]
        if isinstance(record, Samples) and chance.random() < 0.3:
            parts = [(path, Samples(record.source, 0, (sample,))) for sample in record.samples]
        for part in parts:
            times = 2 if chance.random() < 0.1 else 1
            arrivals += [(_when(part) + chance.randrange(0, most), n, part) for _ in range(times)]
    arrivals += [(_when(told) + 1, -1, told) for told in ticks(T0, scene.end, 30 * S)]
    return [told for _, _, told in sorted(arrivals, key=lambda arrival: arrival[:2])]


def _when(told: Told) -> int:
    record = told[1]
    if isinstance(record, Samples):
        return max(sample.at for sample in record.samples)
    return int(getattr(record, "at", 0) or getattr(record, "started_at", 0))


def all_samples(scene: Scenario, path: str, tag: str | None = None) -> list[Sample]:
    """Every sample of a cell (and tag), in order of time."""
    spoken = [s for p, r in scene.told if p == path and isinstance(r, Samples) for s in r.samples]
    return sorted((s for s in spoken if tag is None or s.tag == tag), key=lambda s: s.at)
