"""The session of one edge node: births, deaths, the order of its messages, and when a rebirth is to be asked. Pure: it is
told what time it is.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from connectors.base import Said, Span
from connectors.sparkplug.codec import bd_seq_of
from connectors.sparkplug.metrics import Message, Metrics, Room
from connectors.sparkplug.places import Places
from topology.namespace.path import Path
from topology.sparkplug.topics import Kind

SEQ = 256
"""A sequence number is counted modulo this."""
HELD_MAX = 128
"""Messages that wait for those before them."""
RECENT_MAX = 16
"""Messages of which it is known that they were read: one of them that comes again says nothing new."""
DEVICES_US = 10_000_000
"""So long after an edge node's birth its devices have theirs; one that has none is gone."""
ASK_MAX_S = 300.0
"""Ceiling between rebirth requests that do not help."""
DOUBT = 3
"""Rebirth intervals in which an edge node may show that it lives, after a death that may have been another session's."""
STEADY = 10
"""A session that lasted so many intervals was a good one: the next rebirth is asked at once again."""
DUPLICATE, OLD_DEATH, RETAINED = "duplicate", "old_death", "retained"
UNKNOWN, GAP, UNBORN, SILENT = "unknown metrics", "messages are missing", "data without a birth", "nothing heard yet"
"""Why a rebirth is asked; or one of the reasons above."""


@dataclass(frozen=True)
class Limits:
    """Times in µs."""

    reorder: int
    rebirth_interval: int


class Held(NamedTuple):
    """A message that came before its turn."""

    kind: Kind
    seq: int
    message: Message
    since: int = 0
    """µs, when it began to wait."""


class Session:
    """One edge node. `born` False: its next messages are read only as far as they explain themselves."""

    def __init__(self, group: str, node: str, places: Places, room: Room, limits: Limits) -> None:
        self.group, self.node = group, node
        self.broker: int | None = None
        """Where it was last born; None: it never was."""
        self.metrics = Metrics(places, group, node, room)
        self.asks = 0
        """Rebirths asked without a good session since."""
        self.why = ""
        """Why the last one was wanted."""
        self._limits = limits
        self._expected: int | None = None
        self._bd_seq: int | None = None
        self._bd_seq_before: int | None = None
        self._sent: int | None = None
        """When the last birth says that it was sent."""
        self._birth_hash: int | None = None
        self._held: list[Held] = []
        self._room = room
        self._recent: OrderedDict[int, int] = OrderedDict()
        """Sequence number → hash of the bytes, of what was last read."""
        self._devices_due: int | None = None
        self._doubt_at: int | None = None
        """When it counts as dead if it says nothing until then."""
        self.missed: dict[tuple[Path, str], Span] = {}
        """Between which of its values some never came. Who looks at it takes it back."""
        self._incomplete = False
        """Whether messages are missing that no birth has made up for yet."""
        self._ask_at: int | None = None
        """When the next rebirth request is due; None: none is needed."""
        self._asked_at: int | None = None

    @property
    def born(self) -> bool:
        return self._expected is not None

    @property
    def lacks_birth(self) -> bool:
        """Whether a rebirth is wanted, or was asked and has not come."""
        return self._ask_at is not None

    # -- messages ----------------------------------------------------------------------------------------------

    def message(self, kind: Kind, message: Message, broker: int) -> list[Said]:
        """What a message says, and what those say that waited for it."""
        now = message.arrived
        if kind == "NBIRTH":
            return self._birth(message, broker, now)
        if kind == "NDEATH":
            return self._death(message, broker, now)
        if not self.born:
            self.broker = broker
        elif broker != self.broker:  # a bridge between brokers, or the rest of a session that is over
            return [message.malformed("other_broker", "the edge node was born at another broker; this one is not read")]
        seq = message.payload.seq % SEQ  # a peer of proto3 leaves a zero out
        if seq != self._expected or self._is_older(message):
            if self._recent.get(seq) == hash(message.data):
                return [message.malformed(DUPLICATE, f"sequence number {seq} was read already")]
            return self._hold(Held(kind, seq, message), now)
        said = self._read(Held(kind, seq, message))
        if self._held:
            said += self._drain()
        return self._look(said, now)

    def _is_older(self, message: Message) -> bool:
        """Whether a message says that it was sent before the birth: another session's, whatever its number, for a broker
        may bring it late. What was kept is sent later than its time may say."""
        at = message.at
        if at is None or self._sent is None or at >= self._sent:
            return False
        return not any(metric.is_historical for metric in message.payload.metrics)

    def _read(self, held: Held) -> list[Said]:
        """Reads the message whose turn it is."""
        self._expected, self._doubt_at = (held.seq + 1) % SEQ, None
        self._recent[held.seq] = hash(held.message.data)
        self._recent.move_to_end(held.seq)
        if len(self._recent) > RECENT_MAX:
            self._recent.popitem(last=False)
        if held.kind == "DBIRTH":
            return self.metrics.born(held.message)
        if held.kind == "DDEATH":
            return self._device_death(held.message)
        return self.metrics.data(held.message)

    def _device_death(self, message: Message) -> list[Said]:
        """At the time that the death itself says."""
        at = message.at
        if at is None:
            return self.metrics.stale(message.device, message.arrived, "arrival")
        return self.metrics.stale(message.device, at, "server")

    def _look(self, said: list[Said], now: int) -> list[Said]:
        """Asks for a birth where something lacked it."""
        if self.metrics.lacking:
            self.metrics.lacking = False
            self.want_birth(now, UNKNOWN)
        return said

    # -- births and deaths of the edge node --------------------------------------------------------------------

    def _birth(self, message: Message, broker: int, now: int) -> list[Said]:
        sent = message.at
        if self.born and sent is not None and hash(message.data) == self._birth_hash:  # by a bridge, or told twice
            return [message.malformed(DUPLICATE, "this birth was read already")]
        waiting = self._unhold()
        bd_seq = bd_seq_of(message.payload)
        if bd_seq != self._bd_seq:
            self._bd_seq_before, self._bd_seq = self._bd_seq, bd_seq
        self.broker, self._sent, self._birth_hash = broker, sent, hash(message.data)
        self._expected = (message.payload.seq + 1) % SEQ
        self._recent.clear()
        self._ask_at, self._doubt_at, self._devices_due = None, None, now + DEVICES_US
        if self._incomplete:
            self.missed |= self.metrics.since_last(now if sent is None else sent)
            self._incomplete = False
        said = self.metrics.born(message)
        for held in waiting:  # what overtook this birth was sent after it; the rest is of a session that is over
            if sent is not None and held.message.at is not None and not self._is_older(held.message):
                self._put(held._replace(since=now))
            else:
                said += self._unordered(held)
        self.metrics.lacking = False
        return self._look(said + self._drain(), now)

    def _death(self, message: Message, broker: int, now: int) -> list[Said]:
        """At our clock's time: a will was written when its session began."""
        bd_seq = bd_seq_of(message.payload)
        if self.born and broker != self.broker:
            return [message.malformed(OLD_DEATH, "the edge node lives at another broker now")]
        if bd_seq is not None and bd_seq != self._bd_seq and self._bd_seq is not None:
            words = f"the death of session {bd_seq}; the edge node's last birth was of session {self._bd_seq}"
            if bd_seq == self._bd_seq_before:
                return [message.malformed(OLD_DEATH, words)]
            if self.born:  # of a session whose birth we never saw, before this one or after it: who lives can say so
                self.want_birth(now, OLD_DEATH)
                self._doubt_at = now + DOUBT * self._limits.rebirth_interval
                return [message.malformed(OLD_DEATH, words)]
        return self.over(now)

    def over(self, now: int) -> list[Said]:
        """The edge node is dead, or its broker out of reach: nothing of it is known any more."""
        said = self._release()
        self._expected, self._devices_due, self._birth_hash = None, None, None
        self._ask_at, self._doubt_at = None, None
        self._recent.clear()
        self.metrics.lacking = self._incomplete = False
        return said + self.metrics.all_stale(now, "arrival")

    # -- order -------------------------------------------------------------------------------------------------

    def _hold(self, held: Held, now: int) -> list[Said]:
        self._put(held._replace(since=now))
        if self._limits.reorder and len(self._held) < HELD_MAX and self._room.held_bytes_left > 0:
            return []
        return self._give_up(now)

    def _put(self, held: Held) -> None:
        self._held.append(held)
        self._room.held_bytes_left -= len(held.message.data)

    def _drain(self) -> list[Said]:
        """Reads what waited, as far as its turn has come."""
        said: list[Said] = []
        while (next_ := next(filter(self._is_next, self._held), None)) is not None:
            self._held.remove(next_)
            self._room.held_bytes_left += len(next_.message.data)
            said += self._read(next_)
        return said

    def _is_next(self, held: Held) -> bool:
        return held.seq == self._expected and not self._is_older(held.message)

    def _give_up(self, now: int) -> list[Said]:
        """What is missing does not come: it may have been a birth, so nothing that a birth explains is sure any more."""
        why = GAP if self.born else UNBORN
        self._incomplete = self._incomplete or self.born
        said = self._release()
        self._expected = None
        self.metrics.lacking = False
        self.want_birth(now, why)
        return said

    def _release(self) -> list[Said]:
        return [said for held in self._unhold() for said in self._unordered(held)]

    def _unhold(self) -> list[Held]:
        waiting, self._held = self._held, []
        self._room.held_bytes_left += sum(len(held.message.data) for held in waiting)
        return waiting

    def _unordered(self, held: Held) -> list[Said]:
        """Reads a message whose turn never came: only what explains itself."""
        if held.kind == "DDEATH":
            return self._device_death(held.message)
        return self.metrics.data(held.message, trusted=False)

    # -- time --------------------------------------------------------------------------------------------------

    def want_birth(self, now: int, why: str, after: int = 0) -> None:
        """A rebirth is asked `after` (µs) now, or once the interval since the last request is over."""
        steady = STEADY * self._limits.rebirth_interval
        if self._ask_at is None and self._asked_at is not None and now - self._asked_at > steady:
            self.asks = 0
        if self._ask_at is None:
            self.why = why
        at = max(now + after, self._next_ask())
        self._ask_at = at if self._ask_at is None else min(at, self._ask_at)

    def _next_ask(self) -> int:
        if self._asked_at is None:
            return 0
        wait = self._limits.rebirth_interval << min(max(self.asks - 1, 0), 20)
        return self._asked_at + max(min(wait, int(ASK_MAX_S * 1_000_000)), self._limits.rebirth_interval)

    def must_ask(self, now: int) -> bool:
        """Whether a rebirth request is due."""
        return self._ask_at is not None and now >= self._ask_at

    def asked(self, now: int) -> None:
        """A rebirth request went out; the next one follows if no birth comes."""
        self.asks += 1
        self._asked_at = now
        self._ask_at = self._next_ask()

    def deadline(self) -> int | None:
        """When `tick` or `must_ask` will have something to do (µs); None: not before the next message."""
        times = [self._ask_at, self._devices_due, self._doubt_at]
        if self._held:
            times.append(self._window_ends())
        return min((at for at in times if at is not None), default=None)

    def _window_ends(self) -> int:
        return min(held.since for held in self._held) + self._limits.reorder

    def set_back(self, by: int) -> None:
        """Our clock was set back by so many µs: what is due is due as long from now as before."""
        self._ask_at, self._asked_at, self._devices_due, self._doubt_at = (
            None if at is None else at - by for at in (self._ask_at, self._asked_at, self._devices_due, self._doubt_at)
        )
        self._held = [held._replace(since=held.since - by) for held in self._held]

    def tick(self, now: int) -> list[Said]:
        """What the passing of time says: a gap that nothing fills, devices that did not come back."""
        said: list[Said] = []
        if self._held and now >= self._window_ends():
            said += self._give_up(now)
        if self._devices_due is not None and now >= self._devices_due:
            self._devices_due = None
            for device in self.metrics.unborn():
                said += self.metrics.stale(device, now, "arrival")
        if self._doubt_at is not None and now >= self._doubt_at:
            said += self.over(now)
        return said
