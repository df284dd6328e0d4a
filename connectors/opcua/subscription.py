"""One subscription at the server, by the raw services: what it owes us is known, and that it owes it."""

import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from asyncua import ua
from asyncua.client.ua_client import UaClient

from connectors.opcua.services import NO_ANSWER, Pieces, words

KEEP_ALIVE_S = 2.0
"""A subscription without news says so this often; asked for, the server may choose otherwise."""
LIFETIME_KEEP_ALIVES = 15
"""The server ends a subscription that nobody asks for so many keep-alives: what a killed process leaves is gone soon."""
SEQUENCES = 2**32 - 1
REPUBLISH_MAX = 100
"""Messages missed that are asked for again; more, and the link is opened anew."""

Told = Callable[[int, ua.DataValue], None]
"""(client handle, value), in the order of the server."""


EventsTold = Callable[[int, Sequence[Sequence[ua.Variant]]], None]
"""(client handle, the fields of each event that one message brings of it), in the order of the server."""


class Asked(NamedTuple):
    """What one variable is asked to be watched with."""

    handle: int
    node: ua.NodeId


class Watched(NamedTuple):
    """What became of one `Asked`."""

    status: ua.StatusCode
    item: int
    """Id of the monitored item; 0 where there is none."""
    queue_size: int
    sampling_ms: float


class Subscription:
    """Hands over every value in order. `problem` says why it cannot be relied on any more; then open anew."""

    def __init__(
        self,
        services: UaClient,
        pieces: Pieces,
        told: Told,
        room: Callable[[], Awaitable[None]],
        events_told: EventsTold = lambda _handle, _events: None,
    ) -> None:
        """`room` is awaited before the next message is asked for: until then the server keeps what comes."""
        self._services, self._pieces, self._told, self._room = services, pieces, told, room
        self._events_told = events_told
        self.id = 0
        self.problem: str | None = None
        self.items = 0
        """How many it watches."""
        self.revised_ms = 0.0
        self._patience_s = math.inf
        self._heard = time.monotonic()
        self._next = 1
        self._waiting = False

    async def open(self, publish_interval_ms: float, timeout_s: float) -> None:
        """Creates it. Raises what the service raises."""
        asked = ua.CreateSubscriptionParameters()
        asked.RequestedPublishingInterval = publish_interval_ms
        asked.RequestedMaxKeepAliveCount = max(1, round(KEEP_ALIVE_S * 1000 / publish_interval_ms))
        asked.RequestedLifetimeCount = asked.RequestedMaxKeepAliveCount * LIFETIME_KEEP_ALIVES
        asked.MaxNotificationsPerPublish = 0
        asked.PublishingEnabled = True
        revised = await self._services.create_subscription(asked, self._published)
        self.id, self.revised_ms = revised.SubscriptionId, revised.RevisedPublishingInterval
        self._heard = time.monotonic()
        self._patience_s = self.revised_ms * (revised.RevisedMaxKeepAliveCount + 1) / 1000 + timeout_s

    async def watch(
        self, asked: Sequence[Asked], queue_size: int, sampling_ms: float, events: ua.EventFilter | None = None
    ) -> list[Watched]:
        """Asks for the values of variables, or for the events of notifiers; refused is one by one. Raises what the service
        raises for a single one."""

        async def ask(part: Sequence[Asked]) -> list[Watched]:
            parameters = ua.CreateMonitoredItemsParameters()
            parameters.SubscriptionId = self.id
            parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
            parameters.ItemsToCreate = [_request(one, queue_size, sampling_ms, events) for one in part]
            results = await self._services.create_monitored_items(parameters)
            return [
                Watched(r.StatusCode, r.MonitoredItemId, r.RevisedQueueSize, r.RevisedSamplingInterval) for r in results
            ]

        return await self._pieces.call("monitor", asked, ask)

    async def forget(self, items: Iterable[int]) -> None:
        """Takes monitored items out, as far as the server still knows them."""
        parameters = ua.DeleteMonitoredItemsParameters()
        parameters.SubscriptionId = self.id
        parameters.MonitoredItemIds = list(items)
        if parameters.MonitoredItemIds:
            await self._services.delete_monitored_items(parameters)

    def overdue(self) -> bool:
        """Whether neither a value nor a keep-alive has come for longer than the server promised."""
        return not self._waiting and time.monotonic() - self._heard > self._patience_s

    # -- called by asyncua -------------------------------------------------------------------------------------

    async def _published(self, result: ua.PublishResult) -> None:
        self._heard = time.monotonic()
        message = result.NotificationMessage
        if message.NotificationData and message.SequenceNumber:
            await self._catch_up(message.SequenceNumber)
            self._next = message.SequenceNumber % SEQUENCES + 1
        self._take(message)
        self._waiting = True
        try:
            await self._room()
        finally:
            self._waiting, self._heard = False, time.monotonic()

    async def _catch_up(self, number: int) -> None:
        """Has messages sent again that never came, or that no one could read."""
        missed = (number - self._next) % SEQUENCES
        if not missed:
            return
        try:
            if missed > REPUBLISH_MAX:
                raise ua.UaError("too many")
            for n in range(missed):
                self._take(await self._services.session.republish(self.id, (self._next + n - 1) % SEQUENCES + 1))
        except NO_ANSWER as error:
            self.problem = f"{missed} messages of the subscription were lost ({words(error)})"

    def _take(self, message: ua.NotificationMessage) -> None:
        for notification in message.NotificationData or ():
            if isinstance(notification, ua.DataChangeNotification):
                for item in notification.MonitoredItems or ():
                    self._told(item.ClientHandle, item.Value)
            elif isinstance(notification, ua.EventNotificationList):
                by_handle: dict[int, list[Sequence[ua.Variant]]] = {}
                for event in notification.Events or ():
                    by_handle.setdefault(event.ClientHandle, []).append(event.EventFields or ())
                for handle, events in by_handle.items():
                    self._events_told(handle, events)
            elif isinstance(notification, ua.StatusChangeNotification):
                self.problem = f"the server ended the subscription ({notification.Status.name})"


def _request(
    asked: Asked, queue_size: int, sampling_ms: float, events: ua.EventFilter | None
) -> ua.MonitoredItemCreateRequest:
    request = ua.MonitoredItemCreateRequest()
    request.ItemToMonitor.NodeId = asked.node
    request.ItemToMonitor.AttributeId = ua.AttributeIds.Value if events is None else ua.AttributeIds.EventNotifier
    request.MonitoringMode = ua.MonitoringMode.Reporting
    request.RequestedParameters.ClientHandle = asked.handle
    request.RequestedParameters.SamplingInterval = sampling_ms
    request.RequestedParameters.QueueSize = queue_size
    request.RequestedParameters.DiscardOldest = True
    if events is not None:
        request.RequestedParameters.Filter = events
    return request
