"""The public library: connect, subscribe, read history, publish facts. `docs/client.md` shows it at work.

    async with connect() as ns:
        async for item in ns.subscribe("acme/+/packaging/#", classes=["oee"]):
            print(item.path, item.record)

What is imported from here is kept compatible; the modules below it are not.
"""

from uns.client.aio import AsyncHistory, AsyncNamespace, AsyncSubscription, connect
from uns.client.frame import MissingExtra
from uns.client.history import History
from uns.client.namespace import Namespace, connect_sync
from uns.client.subscribe import NothingMatches, Received, RecordsLost, Subscription
from uns.errors import UserError
from uns.kafka.publish import NotPublished

__all__ = [
    "AsyncHistory",
    "AsyncNamespace",
    "AsyncSubscription",
    "History",
    "MissingExtra",
    "Namespace",
    "NotPublished",
    "NothingMatches",
    "Received",
    "RecordsLost",
    "Subscription",
    "UserError",
    "connect",
    "connect_sync",
]
