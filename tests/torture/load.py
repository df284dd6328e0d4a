"""What the machines of a tortured line say: samples, facts, and now and then nonsense; each record has a number of its own."""

import random
import secrets
import struct
import threading
from collections.abc import Callable
from itertools import count
from typing import Self

from confluent_kafka import KafkaError, Producer

from schemas.codec import Codec
from schemas.records import Inspection, Order, OutOfService, Raw, Reason, Sample, Samples, Shelve, Shift, Value
from topology.namespace.path import Path
from topology.namespace.topics import partition
from uns.runtime.clock import Clock
from uns.runtime.settings import Settings

Put = tuple[bytes | None, bytes | None, int]
"""Key, value, partition."""
NUMBER = "torture.number"
MESSAGE_MAX_BYTES = 4_000_000
"""Above the topics' limit, which is theirs to hold."""
S, MINUTE = 1_000_000, 60_000_000
UNKNOWN_ID = 987_654
STATES = (6, 6, 6, 6, 2, 9, 11, 5, 4)


class Machines:
    """Some lines of two cells each. The same seed and the same times say the same."""

    def __init__(
        self,
        area: Path,
        lines: int,
        partitions: int,
        codec: Codec,
        seed: int,
        poison: float = 0.02,
        wearing: bool = False,
    ) -> None:
        """`poison`: share of records that are no good in some way. `wearing`: they measure a seal and a bearing, too."""
        self._area, self._partitions, self._codec, self._poison = area, partitions, codec, poison
        self._wearing, self._began = wearing, 0
        self._lines = [f"{area}/line-{n}" for n in range(1, lines + 1)]
        self.cells = [f"{line}/{cell}" for line in self._lines for cell in ("filler", "capper")]
        self.chance = random.Random(seed)
        self._sequence = dict.fromkeys(self.cells, 0)
        self._good = dict.fromkeys(self.cells, 0)
        self._scrap = dict.fromkeys(self.cells, 0)
        self._facts = count(1)

    def place(self, path: str) -> int:
        return partition(Path.parse(path), self._partitions)

    def put(self, path: str, record: Raw) -> Put:
        return path.encode(), self._codec.encode(record), self.place(path)

    def next(self, now: int) -> Put:
        """One record at the plant's time `now` (µs)."""
        chance = self.chance
        if (kind := chance.random()) < self._poison:
            return self._nonsense(now)
        return self._fact(now) if kind < self._poison + 0.03 else self.put(*self.sampled(now))

    def sampled(self, now: int, path: str | None = None) -> tuple[str, Samples]:
        """What one cell says: some tags, a little back in time, sometimes far enough to correct closed windows."""
        chance = self.chance
        path = path or chance.choice(self.cells)
        at = now - chance.randrange(2 * S)
        if chance.random() < 0.02:
            at -= chance.randrange(30 * MINUTE)
        values: dict[str, Value] = {"Heartbeat": at // S}
        if chance.random() < 0.4:
            values["State"] = chance.choice(STATES)
        if chance.random() < 0.02:
            values["Mode"] = chance.choice((1, 1, 2, 4))
        self._good[path] = (self._good[path] + chance.randrange(4)) % 1000
        self._scrap[path] += chance.random() < 0.1
        values |= {"Good": self._good[path], "Scrap": self._scrap[path]}
        if chance.random() < 0.1:
            values["StopReason"] = chance.choice((0, 101, 201))
        if chance.random() < 0.2:
            values["FillVolume"] = (
                chance.choice((float("nan"), float("inf")))
                if chance.random() < 0.05 and self._poison
                else round(chance.gauss(500, 2), 3)
            )
        if self._wearing:
            values |= self._seal_and_bearing(at)
        self._sequence[path] += 1
        quality = 0x80000000 if chance.random() < 0.01 else 0
        samples = tuple(Sample(tag, at, value, quality) for tag, value in values.items())
        return path, Samples("plc", self._sequence[path], samples)

    def _seal_and_bearing(self, at: int) -> dict[str, Value]:
        """Two characteristics that hang together, now and then apart, and a vibration that grows to its limit in half an hour."""
        chance, self._began = self.chance, self._began or at
        warmth, apart = chance.gauss(0, 1), 6.0 if chance.random() < 0.02 else 0.0
        worn = max(at - self._began, 0) / (30 * MINUTE)
        return {
            "SealTemp": round(180 + 2 * warmth, 3),
            "SealPressure": round(4 + 0.2 * (warmth + apart) + chance.gauss(0, 0.05), 4),
            "Vibration": round(2 + 5 * worn + chance.gauss(0, 0.2), 3),
        }

    def _fact(self, now: int) -> Put:
        chance, number = self.chance, next(self._facts)
        line = chance.choice(self._lines)
        start = now - chance.randrange(10 * MINUTE)
        match chance.randrange(6):
            case 0:
                end = start + chance.randrange(5, 60) * MINUTE
                return self.put(
                    line,
                    Order(id=f"o{number}", product="cola", started_at=start, ended_at=end, ideal_cycle_s=2.0),
                )
            case 1:
                return self.put(line, Shift(id=f"s{number}", name="a", started_at=start, ended_at=start + 30 * MINUTE))
            case 2:
                reason = Reason(id=f"r{number}", code=chance.choice((101, 201)), started_at=start, by="op")
                return self.put(chance.choice(self.cells), reason)
            case 3:
                end = start + chance.randrange(2, 30) * MINUTE
                alarm = chance.choice(("volume", "latched.hi", "*", "filling"))
                return self.put(line, Shelve(id=f"v{number}", alarm=alarm, started_at=start, ended_at=end, by="op"))
            case 4:
                alarm, end = chance.choice(("stuck", "silent", "breakdown")), start + chance.randrange(40) * MINUTE
                fact = OutOfService(id=f"u{number}", alarm=alarm, started_at=start, ended_at=end, by="op")
                return self.put(chance.choice(self.cells), fact)
            case _:
                value = chance.choice((500.0, 501.5, float("nan")))
                inspection = Inspection(id=f"i{number}", characteristic="Weight", at=start, value=value)
                return self.put(chance.choice(self.cells), inspection)

    def _nonsense(self, now: int) -> Put:
        chance = self.chance
        path, record = self.sampled(now)
        key, good, place = self.put(path, record)
        assert good is not None
        match chance.randrange(8):
            case 0:
                return key, b"\x01" + good[1:], place
            case 1:
                return key, good[: chance.randrange(1, len(good) - 1)], place
            case 2:
                return key, None, place
            case 3:
                return key, struct.pack(">bI", 0, UNKNOWN_ID) + good[5:], place
            case 4:
                return b"Not A Path", good, place
            case 5:
                return f"{self._area}/line-9/nobody".encode(), good, place
            case 6:  # three days old: beyond the correction horizon
                return self.put(path, Samples("plc", 0, (Sample("Good", now - 72 * 60 * MINUTE, 1),)))
            case _:
                return self.put(path, Samples("plc", 0, (Sample("Good", now + 180 * MINUTE, 1),)))


class Load:
    """Says what the machines say, all the time, from a thread of its own, until `stop`."""

    def __init__(self, settings: Settings, raw: str, clock: Clock, say: Callable[[int], Put], rate: float) -> None:
        """`say`: from the plant's time to the next record. `rate`: records a second, about."""
        self._raw, self._clock, self._say, self._rate = raw, clock, say, rate
        self._name = secrets.token_hex(4)
        self.acknowledged = 0
        self.failed: KafkaError | None = None
        self.said = 0
        self._stop = threading.Event()
        # A broker that is away is waited for; what it took, it took once and in order.
        self._producer = Producer(
            settings.kafka(
                **{
                    "enable.idempotence": True,
                    "linger.ms": 5,
                    "message.timeout.ms": 0,
                    "message.max.bytes": MESSAGE_MAX_BYTES,
                    "log_level": 0,
                }
            )
        )
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            for _ in range(max(1, round(self._rate * 0.02))):
                self.put(*self._say(self._clock()))
            self._producer.poll(0)
            self._stop.wait(0.02)

    def put(self, key: bytes | None, value: bytes | None, place: int) -> None:
        self.said += 1
        headers = [(NUMBER, f"{self._name}.{self.said}".encode())]
        if self.said % 10 == 0:
            headers.append(("traceparent", f"00-{self.said:032x}-01".encode()))
        while True:
            try:
                self._producer.produce(
                    self._raw,
                    value,
                    key,
                    place,
                    headers=headers,
                    on_delivery=self._delivered,
                    timestamp=self._clock() // 1000,
                )
                return
            except BufferError:
                self._producer.poll(0.1)

    def _delivered(self, error: KafkaError | None, message: object) -> None:
        if error is None:
            self.acknowledged += 1
        else:
            self.failed = error

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self, deadline_s: float = 120.0) -> int:
        """Everything said is on the log now; how many records."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if left := self._producer.flush(deadline_s):
            raise AssertionError(f"{left} raw records not taken within {deadline_s:g} s")
        if self.failed is not None or self.acknowledged != self.said:
            raise AssertionError(f"{self.said} raw records said, {self.acknowledged} acknowledged: {self.failed}")
        return self.said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
