"""An edge node that talks to a host without a network: it builds what it would send, and the clock is ours."""

from collections.abc import Iterable
from typing import Any

from connectors.base import Malformed, Reading, Said
from connectors.sparkplug.codec import NO_COMMUNICATION
from connectors.sparkplug.config import SparkplugConfig
from connectors.sparkplug.host import Host
from schemas.records import Sample
from topology.sparkplug.schema import Payload

T0 = 2_000_000_000_000_000
"""µs."""
SECOND = 1_000_000
INT64 = 4
FIELDS = {
    1: "int_value",
    2: "int_value",
    3: "int_value",
    4: "long_value",
    5: "int_value",
    6: "int_value",
    7: "int_value",
    8: "long_value",
    9: "float_value",
    10: "double_value",
    11: "boolean_value",
    12: "string_value",
    13: "long_value",
    14: "string_value",
    15: "string_value",
}
"""Datatype → field of its value."""


def config(*sources: dict[str, Any], **options: Any) -> SparkplugConfig:
    both = (
        {"edge": "g/n", "path": "acme/dallas/packaging/line-1"},
        {"edge": "g/n/+", "path": "acme/dallas/packaging/line-1/{device}"},
    )
    return SparkplugConfig.model_validate(
        {"brokers": [{"url": "mqtt://127.0.0.1"}], "host_id": "h", "sources": sources or both, **options}
    )


def metric(name: str = "", value: Any = None, datatype: int = INT64, at: int | None = T0, **more: Any) -> Any:
    """A metric; `at` in µs, None: it has no time. `datatype` 0 with an `as_type`: the message does not say it."""
    as_type = more.pop("as_type", datatype)
    made = Payload().metrics.add(**more)
    if name:
        made.name = name
    if datatype:
        made.datatype = datatype
    if at is not None:
        made.timestamp = at // 1000
    if value is None:
        made.is_null = True
    else:
        bits = 64 if FIELDS[as_type] == "long_value" else 32
        setattr(made, FIELDS[as_type], value % 2**bits if FIELDS[as_type] in ("int_value", "long_value") else value)
    return made


def data(alias: int, value: Any, as_type: int = INT64, **more: Any) -> Any:
    """A metric as messages of data have it: an alias, and no datatype."""
    return metric("", value, 0, as_type=as_type, alias=alias, **more)


class Edge:
    """Says things to a host; each method gives what the host made of it."""

    def __init__(self, host: Host | None = None, group: str = "g", node: str = "n", broker: int = 0) -> None:
        self.host = host or Host(config())
        self.group, self.node, self.broker = group, node, broker
        self.now, self.seq, self.bd_seq = T0, 0, 0

    def payload(self, *metrics: Any, seq: int | None = None, at: int | None = None) -> bytes:
        payload = Payload(timestamp=(self.now if at is None else at) // 1000)
        payload.metrics.extend(metrics)
        if seq is not None:
            payload.seq = seq
        return bytes(payload.SerializeToString())

    def topic(self, kind: str, device: str | None = None) -> str:
        return f"spBv1.0/{self.group}/{kind}/{self.node}" + (f"/{device}" if device else "")

    def send(self, kind: str, device: str | None, payload: bytes, retained: bool = False) -> list[Said]:
        return self.host.message(self.topic(kind, device), payload, self.now, self.broker, retained)

    def next_seq(self) -> int:
        seq, self.seq = self.seq, (self.seq + 1) % 256
        return seq

    def nbirth(self, *metrics: Any, at: int | None = None) -> list[Said]:
        self.seq = 0
        bd_seq = metric("bdSeq", self.bd_seq)
        return self.send("NBIRTH", None, self.payload(bd_seq, *metrics, seq=self.next_seq(), at=at))

    def ndeath(self, bd_seq: int | None = None) -> list[Said]:
        return self.send("NDEATH", None, self.payload(metric("bdSeq", self.bd_seq if bd_seq is None else bd_seq), at=0))

    def say(self, kind: str, device: str | None, *metrics: Any, **when: Any) -> list[Said]:
        return self.send(kind, device, self.payload(*metrics, seq=self.next_seq(), **when))

    def dbirth(self, device: str, *metrics: Any, **when: Any) -> list[Said]:
        return self.say("DBIRTH", device, *metrics, **when)

    def ddeath(self, device: str, **when: Any) -> list[Said]:
        return self.say("DDEATH", device, **when)

    def ddata(self, device: str, *metrics: Any, **when: Any) -> list[Said]:
        return self.say("DDATA", device, *metrics, **when)

    def ndata(self, *metrics: Any, **when: Any) -> list[Said]:
        return self.say("NDATA", None, *metrics, **when)

    def later(self, s: float) -> list[Said]:
        """Time passes."""
        self.now += round(s * SECOND)
        return self.host.tick(self.now)

    def asks(self) -> list[tuple[str, str, int | None]]:
        """Group, edge node and broker of the rebirths that are asked now."""
        return [(ask.group, ask.node, ask.broker) for ask in self.host.asks(self.now)]

    def born(self) -> "Edge":
        """With a metric `Mode` of its own, alias 1, and a device `filler` with `Good`, alias 2."""
        self.nbirth(metric("Mode", 1, alias=1))
        self.dbirth("filler", metric("Good", 10, alias=2))
        return self


def samples(said: Iterable[Said]) -> list[Sample]:
    """The readings' samples; nothing else may be there."""
    found = []
    for thing in said:
        assert isinstance(thing, Reading), thing
        found.append(thing.sample)
    return found


def values(said: Iterable[Said]) -> dict[str, Any]:
    """Tag → its last value."""
    return {sample.tag: sample.value for sample in samples(said)}


def reasons(said: Iterable[Said]) -> list[str]:
    return [thing.reason for thing in said if isinstance(thing, Malformed)]


def stale(said: Iterable[Said]) -> dict[str, int]:
    """Tag → since when it is stale."""
    return {s.tag: s.at for s in samples(said) if s.quality == NO_COMMUNICATION and s.value is None}
