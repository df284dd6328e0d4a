"""The host application over all edge nodes: who is heard, and which rebirths are asked. Pure: it is told what time it is."""

from contextlib import suppress
from typing import NamedTuple

from connectors.base import Malformed, Said, Span
from connectors.kit.message import MESSAGE_MAX
from connectors.kit.payloads import BadPayload
from connectors.sparkplug.codec import payload_of
from connectors.sparkplug.config import SparkplugConfig
from connectors.sparkplug.metrics import Message, Room
from connectors.sparkplug.places import Places
from connectors.sparkplug.session import RETAINED, SILENT, Limits, Session
from topology.namespace.path import Path
from topology.sparkplug.topics import edge_topic

NODES_MAX = 10_000
"""Edge nodes that are remembered."""
ASKS_PER_S = 20
"""Rebirth requests to all edge nodes together: a host that starts is not to be buried under births."""
SECOND = 1_000_000
NAMED_MAX = 5
"""Edge nodes that a problem names."""


class Rebirth(NamedTuple):
    """An edge node to be asked for its births. `broker` None: at every one, for it is not known where it is."""

    group: str
    node: str
    broker: int | None
    why: str


class Host:
    """What messages say, as readings, and what is to be asked, by `asks`."""

    def __init__(self, config: SparkplugConfig) -> None:
        self.places = Places(config.sources)
        self.limits = Limits(round(config.reorder_timeout_s * SECOND), round(config.rebirth_interval_s * SECOND))
        self._sessions: dict[tuple[str, str], Session] = {}
        self.room = Room()
        self._waiting: dict[tuple[str, str], Session] = {}
        """Those for which time matters."""
        self._second, self._asked = 0, 0
        self._missed: dict[tuple[Path, str], Span] = {}
        self._latest = 0
        """µs, when time was last looked at."""

    def message(self, topic: str, data: bytes, now: int, broker: int = 0, retained: bool = False) -> list[Said]:
        """What a message says; whatever it is, it never raises. `now`: µs, when it arrived."""
        whose = edge_topic(topic)
        if whose is None or not self.places.asked(whose.group, whose.node):
            return []
        try:
            session = self._session(whose.group, whose.node)
            message = Message(topic, whose.device, data, payload_of(data), now)
        except BadPayload as bad:
            return [Malformed(topic, data, bad.reason, f"{topic}: {bad}"[:MESSAGE_MAX])]
        if retained:  # it tells of a time that nobody knows; who lives is asked
            if not session.born:
                session.want_birth(now, RETAINED)
            said: list[Said] = [message.malformed(RETAINED, "a message that the broker kept, of a session long ago")]
        else:
            said = session.message(whose.kind, message, broker)
        self._note(session)
        return said

    def missed(self) -> dict[tuple[Path, str], Span]:
        """Tags of which messages were lost, and between which values, since it was last asked."""
        missed, self._missed = self._missed, {}
        return missed

    def connected(self, broker: int, now: int) -> None:
        """A broker is reached: those whose births we cannot have seen are asked, if they do not come by themselves."""
        for group, node in self.places.named_nodes():
            with suppress(BadPayload):  # no room: it has a session once it speaks and another has none
                self._session(group, node)
        for session in self._sessions.values():
            if not session.born and session.broker in (None, broker):
                session.want_birth(now, SILENT, self.limits.rebirth_interval)
                self._note(session)

    def lost(self, broker: int, now: int) -> list[Said]:
        """A broker is out of reach, and with it all that live there."""
        said: list[Said] = []
        for session in self._sessions.values():
            if session.broker == broker:
                said += session.over(now)
                self._note(session)
        return said

    def tick(self, now: int) -> list[Said]:
        """What the passing of time says. A clock that is set back delays nothing."""
        if now < self._latest - SECOND:
            for session in self._sessions.values():
                session.set_back(self._latest - now)
            self._second = 0
        self._latest = now
        said: list[Said] = []
        for session in [session for session in self._waiting.values() if (session.deadline() or now + 1) <= now]:
            said += session.tick(now)
            self._note(session)
        return said

    def asks(self, now: int) -> list[Rebirth]:
        """The rebirth requests that are due; they count as sent."""
        if not 0 <= now - self._second < SECOND:
            self._second, self._asked = now, 0
        due = []
        for session in [session for session in self._waiting.values() if session.must_ask(now)]:
            if self._asked >= ASKS_PER_S:
                break
            self._asked += 1
            session.asked(now)
            due.append(Rebirth(session.group, session.node, session.broker, session.why))
        return due

    def deadline(self) -> int | None:
        """When `tick` or `asks` will have something to do (µs)."""
        times = [at for session in self._waiting.values() if (at := session.deadline()) is not None]
        return min(times, default=None)

    def problems(self) -> list[str]:
        """Edge nodes that were asked for their births and did not answer."""
        silent = [f"{s.group}/{s.node}" for s in self._sessions.values() if s.lacks_birth and s.asks > 1]
        if not silent:
            return []
        more = f" and {len(silent) - NAMED_MAX} more" if len(silent) > NAMED_MAX else ""
        return [f"no birth of edge node {', '.join(silent[:NAMED_MAX])}{more}, though it was asked; is it up?"]

    def _session(self, group: str, node: str) -> Session:
        session = self._sessions.get((group, node))
        if session is None:
            if len(self._sessions) >= NODES_MAX:
                raise BadPayload("too_many", f"more than {NODES_MAX} edge nodes; read fewer by `sources`")
            session = Session(group, node, self.places, self.room, self.limits)
            self._sessions[group, node] = session
        return session

    def _note(self, session: Session) -> None:
        """Keeps in mind whether time matters for a session, and what it has missed."""
        if session.missed:
            self._missed |= session.missed
            session.missed = {}
        key = session.group, session.node
        if session.deadline() is None:
            self._waiting.pop(key, None)
        else:
            self._waiting[key] = session
