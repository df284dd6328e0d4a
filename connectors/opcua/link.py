"""The session with a server: made as who we are, and closed whatever state the link is in."""

import asyncio
import logging

from asyncua import Client

from connectors.base import SourceUnavailable
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.security import identify, said
from connectors.opcua.services import NO_ANSWER

CLOSE_S = 2.0


class _Told(logging.Filter):
    """Drops what asyncua says of things that we say ourselves, or that are as they should be: that the server chose its own
    session time-out and keep-alive, and with a traceback that nobody answers once a link is closed; that this host's name
    is not in our certificate, which no server compares; that a link was closed before we did; that a service was refused,
    with its whole answer."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(
            (
                "Requested session timeout",
                "Revised values returned differ",
                "Publish iteration crashed",
                "certificate does not contain the hostname",
                "close_session was called",
                "close_secure_channel was called",
                "ServiceFault (",
            )
        )


_TOLD = _Told()
_TELLERS = (
    "asyncua.client.client",
    "asyncua.client.ua_client.UASocketProtocol",
    "asyncua.client.ua_client.UaClient",
    "asyncua.client.ua_session.UaSession",
    "asyncua.crypto.uacrypto",
)


def client_of(config: OpcUaConfig) -> Client:
    """A client that has not connected yet."""
    for name in _TELLERS:
        logging.getLogger(name).addFilter(_TOLD)  # once, however often it is added
    client = Client(config.url, timeout=config.timeout_s, watchdog_intervall=config.timeout_s)
    client.session_timeout = round(config.session_timeout_s * 1000)
    return client


async def connect(client: Client, config: OpcUaConfig) -> None:
    """Raises `SourceUnavailable`, with what to do about it."""
    await identify(client, config)
    try:
        async with asyncio.timeout(config.timeout_s * 3):
            await client.connect()
    except NO_ANSWER as error:
        pinned = "" if config.server_certificate is None else " Is `server_certificate` still the one that it has?"
        raise SourceUnavailable(
            f"OPC UA server {config.url} cannot be reached ({said(error)}); is it up, are address, user and certificate right?{pinned}"
        ) from error


async def disconnect(client: Client) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await client.disconnect()
    except NO_ANSWER:  # the link is half dead; it is given up either way
        client.disconnect_socket()
