"""One session of an edge node: what it says, in order, from its birth to its death (Sparkplug 3.0, chapters 5 and 6). Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from google.protobuf.message import DecodeError

from sinks.mqtt.sparkplug.metrics import BOOLEAN, INT64, Metric, Metrics, changed, device_of, payload_of
from topology.sparkplug.schema import Payload
from topology.sparkplug.topics import BD_SEQ, REBIRTH, Kind, command_topic, of_edge

COUNT = 256
"""Of sequence numbers, and of births."""


class Said(NamedTuple):
    """A message at QoS 0, not retained."""

    topic: str
    payload: bytes


class Session:
    """`bd_seq` is that of the connection: its will has it, and each birth of it."""

    def __init__(self, group: str, node: str, bd_seq: int) -> None:
        self._group, self._node, self._bd_seq, self._seq = group, node, bd_seq % COUNT, 0
        self._born: dict[str, Metrics] = {}
        """Path → what the hosts know of its device."""

    @property
    def commands(self) -> str:
        return command_topic(self._group, self._node)

    def death(self) -> Said:
        """Also the will: made before the connection, and without a sequence number."""
        payload = payload_of({BD_SEQ: Metric(INT64, self._bd_seq, 0)}, 0, None)
        return Said(of_edge(self._group, "NDEATH", self._node), payload.SerializeToString())

    def birth(self, devices: Iterable[tuple[str, Metrics]], now_ms: int) -> Iterator[Said]:
        """Of the edge node, and of every device."""
        self._seq, self._born = 0, {}
        own = {BD_SEQ: Metric(INT64, self._bd_seq, now_ms), REBIRTH: Metric(BOOLEAN, False, now_ms)}
        yield self._say("NBIRTH", None, own, now_ms)
        for path, metrics in devices:
            yield from self.device(path, metrics, now_ms)

    def device(self, path: str, metrics: Metrics, now_ms: int) -> Iterator[Said]:
        """What is new of it; its birth, where metrics are others than those that it was born with."""
        known = self._born.get(path)
        new = None if known is None else changed(known, metrics)
        self._born[path] = metrics
        if new is None:
            yield self._say("DBIRTH", path, metrics, now_ms)
        elif new:
            yield self._say("DDATA", path, new, now_ms)

    def gone(self, path: str, now_ms: int) -> Iterator[Said]:
        """It has left the plant."""
        if self._born.pop(path, None) is not None:
            yield self._say("DDEATH", path, {}, now_ms)

    def _say(self, kind: Kind, path: str | None, metrics: Metrics, now_ms: int) -> Said:
        seq, self._seq = self._seq, (self._seq + 1) % COUNT
        topic = of_edge(self._group, kind, self._node, None if path is None else device_of(path))
        return Said(topic, payload_of(metrics, now_ms, seq).SerializeToString())


def asks_rebirth(payload: bytes) -> bool:
    """Whether a command asks for all births; others are not for a mirror, which writes nothing to machines."""
    try:
        told = Payload.FromString(payload)
    except (DecodeError, RecursionError):
        return False
    return any(metric.name == REBIRTH and metric.boolean_value for metric in told.metrics)
