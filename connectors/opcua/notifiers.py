"""The notifiers that are watched for alarms: one item each, however many machines it speaks of; and what is active asked
for anew (ConditionRefresh), after each opening and after each loss."""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import structlog
from asyncua import ua
from asyncua.client.ua_client import UaClient

from connectors.base import Reading, Resume, Span, TimeOf
from connectors.opcua.address import UnknownNamespace, resolve
from connectors.opcua.alarms import (
    OVERFLOW,
    REFRESH_END,
    REFRESH_REQUIRED,
    REFRESH_START,
    WORST,
    Alarms,
    Event,
    event_filter,
    event_of,
)
from connectors.opcua.config import Machine, OpcUaConfig
from connectors.opcua.novelty import TagKey
from connectors.opcua.retry import Retry
from connectors.opcua.subscription import Asked, Subscription

log = structlog.get_logger()

SAID_S = 60.0
"""So long after alarms were lost it is a problem of the source."""
QUEUE_SIZE = 10_000
"""Events of one notifier that the server is asked to keep between two sends: all that is active comes at once, when it is
asked for."""
_CANNOT_TELL = event_of(())
"""In place of an event: the server has refused to tell what is active."""
_FULL = event_of((ua.Variant(OVERFLOW, ua.VariantType.NodeId),))
"""In place of an event that says so: as many came at once as the server keeps, so there may have been more. Not all say it."""


class _Notifier:
    """A node whose events are asked for, and the machines that they may be of."""

    __slots__ = ("heard", "machines", "node", "queue_size", "refreshing", "retry", "text", "watched", "why")

    def __init__(self, text: str) -> None:
        self.text, self.machines = text, list[Alarms]()
        self.watched, self.why, self.retry = False, "", Retry()
        self.node: ua.NodeId | None = None
        self.queue_size = 0
        """Events that the server keeps of it."""
        self.refreshing = False
        """Whether all that is active is being told, and nothing of that was lost so far."""
        self.heard = 0
        """The time (µs) of its newest event, or since when it is watched."""

    def refused(self, why: str) -> None:
        """Not watched; to be tried again later."""
        self.why = why
        self.retry.failed()


class _Came(NamedTuple):
    notifier: _Notifier
    event: Event
    arrived: int


class Notifiers:
    """Lives as long as the connector; `open` begins a connection."""

    def __init__(self, name: str, config: OpcUaConfig) -> None:
        self._name, self._config = name, config
        self._notifiers: list[_Notifier] = []
        self._machines: dict[str, Alarms] = {}
        for machine in config.machines:
            if machine.alarms is not None:
                self._take_in(machine, machine.alarms)
        self._waiting: deque[_Came] = deque()
        self._subscription: Subscription | None = None
        self._services: UaClient | None = None
        self._another: Callable[[], Awaitable[Subscription]] | None = None
        self._refresh_due = False
        self._refresh_retry = Retry()
        self._refresh_problem = ""
        self._missed: dict[TagKey, Span] = {}
        self._lost_at_s = -SAID_S
        self._ever = False

    def _take_in(self, machine: Machine, text: str) -> None:
        notifier = next((one for one in self._notifiers if one.text == text), None)
        if notifier is None:
            notifier = _Notifier(text)
            self._notifiers.append(notifier)
        alarms = Alarms(machine.location, machine.alarm_sources, self._config.alarm_fault_severity)
        self._machines[machine.path] = alarms
        notifier.machines.append(alarms)

    def __len__(self) -> int:
        """How many events wait."""
        return len(self._waiting)

    @property
    def watched(self) -> bool:
        return any(notifier.watched for notifier in self._notifiers)

    async def open(
        self,
        services: UaClient,
        namespaces: Sequence[str],
        resume: Resume,
        another: Callable[[], Awaitable[Subscription]],
    ) -> None:
        """Has the notifiers watched, and what is active told. Raises what the services raise."""
        self._waiting.clear()
        self._services, self._subscription, self._another = services, None, another
        if not self._notifiers:
            return
        for alarms in self._machines.values():
            alarms.reopened(resume)
        if self._ever:
            self._lost_at_s = time.monotonic()
        self._ever = True
        for notifier in self._notifiers:
            notifier.watched, notifier.refreshing, notifier.node = False, False, None
            try:
                notifier.node, notifier.why = resolve(notifier.text, namespaces), ""
            except UnknownNamespace as error:
                notifier.why = str(error)
        await self._watch(self._notifiers)

    async def _watch(self, notifiers: Sequence[_Notifier]) -> None:
        assert self._another is not None
        wanted = [one for one in notifiers if one.node is not None]
        if self._subscription is None and wanted:
            try:
                self._subscription = await self._another()
            except ua.UaStatusCodeError as error:
                for notifier in wanted:
                    notifier.refused(ua.StatusCode(ua.UInt32(error.code)).name)
                return
        if self._subscription is None:
            return
        asked = [Asked(self._notifiers.index(one), one.node) for one in wanted if one.node is not None]
        answers = await self._subscription.watch(asked, QUEUE_SIZE, 0, event_filter())
        for notifier, answer in zip(wanted, answers, strict=True):
            if answer.status.is_bad():
                notifier.refused(answer.status.name)
                log.warning("no alarms", connector=self._name, notifier=notifier.text, why=notifier.why)
            else:
                notifier.watched, notifier.why, notifier.queue_size = True, "", answer.queue_size
                notifier.heard = notifier.heard or time.time_ns() // 1000
        if self.watched:
            await self._refresh()

    async def _refresh(self) -> None:
        """Has everything that is active told; a server that cannot is one of which what was active is unknown."""
        assert self._services is not None
        assert self._subscription is not None
        self._refresh_due = False
        call = ua.CallMethodRequest(
            ObjectId=ua.NodeId(ua.ObjectIds.ConditionType, 0),
            MethodId=ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh, 0),
            InputArguments=[ua.Variant(self._subscription.id, ua.VariantType.UInt32)],
        )
        try:
            (result,) = await self._services.call([call])
            status = result.StatusCode
        except ua.UaStatusCodeError as error:
            status = ua.StatusCode(ua.UInt32(error.code))
        if status.value == ua.StatusCodes.BadRefreshInProgress:
            self._refresh_due = True
            return
        self._refresh_problem = "" if status.is_good() else status.name
        if self._refresh_problem:
            self._waiting.append(_Came(self._notifiers[0], _CANNOT_TELL, time.time_ns() // 1000))

    def told(self, handle: int, events: Sequence[Sequence[ua.Variant]]) -> None:
        """Events of a notifier, as the subscription hands them over."""
        if not 0 <= handle < len(self._notifiers):
            return
        notifier, arrived = self._notifiers[handle], time.time_ns() // 1000
        if len(events) >= notifier.queue_size > 1:
            self._waiting.append(_Came(notifier, _FULL, arrived))
        self._waiting.extend(_Came(notifier, event_of(fields), arrived) for fields in events)

    def take(self, most: int) -> list[Reading]:
        """What came, as readings; whether they are news is not looked at."""
        readings: list[Reading] = []
        for _ in range(min(most, len(self._waiting))):
            readings += self._said(*self._waiting.popleft())
        return readings

    def _said(self, notifier: _Notifier, event: Event, arrived: int) -> list[Reading]:
        at = arrived if event.time is None else event.time
        if event is _CANNOT_TELL:
            return [reading for alarms in self._machines.values() for reading in alarms.unknown(arrived)]
        if event.type == REFRESH_START:
            notifier.refreshing = True
            for alarms in notifier.machines:
                alarms.refreshing()
            return []
        if event.type == REFRESH_END:
            return self._refreshed(notifier, at, "arrival" if event.time is None else "server")
        if event.type == REFRESH_REQUIRED:
            self._refresh_due = True
            return []
        if event.type == OVERFLOW:
            self._overflowed(notifier, at)
            return []
        notifier.heard = at
        return [reading for one in notifier.machines if one.mine(event) for reading in one.said(event, arrived)]

    def _refreshed(self, notifier: _Notifier, at: int, time_of: TimeOf) -> list[Reading]:
        """All that is active is told, unless some of it was lost on the way: then it is asked for again."""
        if not notifier.refreshing:
            return []
        notifier.refreshing, self._refresh_retry = False, Retry()
        return [reading for alarms in notifier.machines for reading in alarms.refreshed(at, time_of)]

    def _overflowed(self, notifier: _Notifier, at: int) -> None:
        notifier.refreshing = False
        self._lost_at_s = time.monotonic()
        if not self._refresh_due:
            self._refresh_due = True
            self._refresh_retry.failed()
        since = min(notifier.heard, at)
        for alarms in notifier.machines:
            key = (alarms.path, WORST)
            self._missed[key] = Span(since, at).joined(self._missed.get(key))

    def missed(self) -> dict[TagKey, Span]:
        """What the server had no room for, since the last time."""
        missed, self._missed = self._missed, {}
        return missed

    async def tend(self) -> None:
        """What failed before, and what is due. Raises what the services raise."""
        if due := [one for one in self._notifiers if not one.watched and one.node is not None and one.retry.due]:
            await self._watch(due)
        elif self._refresh_due and self._refresh_retry.due:
            await self._refresh()

    def lost(self) -> str | None:
        """Why what is watched cannot be relied on any more; None while it can."""
        subscription = self._subscription
        if subscription is None or (subscription.problem is None and not subscription.overdue()):
            return None
        return subscription.problem or "the subscription of the alarms is silent"

    def problems(self) -> list[str]:
        told = [f"no alarms of {one.text}: {one.why}" for one in self._notifiers if one.why]
        if self._refresh_problem:
            told.append(
                f"which alarms are active is not told by the server (ConditionRefresh: {self._refresh_problem})"
            )
        if time.monotonic() - self._lost_at_s < SAID_S:
            told.append("alarms that came and went while we were not heard, or the server had no room, are lost")
        if forgotten := sum(alarms.forgotten for alarms in self._machines.values()):
            told.append(f"{forgotten} alarms were left out: too many are active at once")
        return told
