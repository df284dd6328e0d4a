"""The OPC UA connection: one subscription for all tags, a watchdog, and history for what was missed."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from asyncua import Client, Node, ua
from asyncua.ua.uaerrors import UaError

from connectors.base import Batch, Malformed, Reading, Resume, SourceUnavailable
from connectors.opcua.codec import decode, moment
from connectors.opcua.config import Machine, OpcUaConfig
from connectors.opcua.novelty import Novelty, TagKey, mark
from topology.endpoint import BadSecret
from topology.namespace.path import Path

WAITING_MAX = 200_000
"""Changes received and not yet in a batch. More, and the link is dropped: history has them, memory must not."""
BATCH_MAX = 2_000
PROBE_S = 2.0
"""How often a silent server is asked whether it is alive."""
BROWSE_DEPTH = 6
TAGS_MAX = 20_000

LAG_S = 2.0
"""How long history may lag behind the subscription: it is read again until it has what the subscription told first."""
LAG_PAUSE_S = 0.1

NO_ANSWER = (UaError, OSError)
"""How a server that refuses, is away or goes silent shows (a TimeoutError is an OSError). Anything else is a bug."""


class _ServersChoice(logging.Filter):
    """Drops what asyncua warns of at every open: that the server chose its own session time-out and keep-alive."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(("Requested session timeout", "Revised values returned differ"))


_SERVERS_CHOICE = _ServersChoice()


class Variable(NamedTuple):
    path: Path
    tag: str
    node_id: str

    @property
    def key(self) -> TagKey:
        return self.path, self.tag


class OpcUaConnector:
    """Every change with the source's own time, in order per tag. After a gap the server's history comes first, where
    there is one; a server without history cannot be asked again (see the README).
    """

    def __init__(self, name: str, config: OpcUaConfig) -> None:
        self._name, self._config = name, config
        self._client: Client | None = None
        self._waiting: deque[tuple[Variable, ua.DataValue]] = deque()
        self._resume: Resume = {}
        self._novelty = Novelty({})
        self._first: dict[TagKey, int] = {}
        """Time of the first value that the subscription told of a tag: up to it, history is asked."""
        self._variables: dict[ua.NodeId, Variable] = {}
        self._news = asyncio.Event()
        self._lost: str | None = None
        self._answered = 0.0

    async def open(self, resume: Resume) -> None:
        """Connects and subscribes. History is read after that, by `batches`: nothing falls between."""
        self._news, self._lost, self._answered = asyncio.Event(), None, time.monotonic()
        self._waiting.clear()
        self._resume, self._novelty, self._first = resume, Novelty(resume), {}
        config = self._config
        logging.getLogger("asyncua.client.client").addFilter(_SERVERS_CHOICE)  # once, however often it is added
        self._client = client = Client(config.url, timeout=config.timeout_s, watchdog_intervall=PROBE_S)
        await self._identify(client)
        try:
            await asyncio.wait_for(client.connect(), config.timeout_s * 3)
        except NO_ANSWER as error:
            raise SourceUnavailable(
                f"OPC UA server {config.url} cannot be reached ({_words(error)}); is it up, are address, user and certificate right?"
            ) from error
        try:
            await self._subscribe(client, await self._resolve(client))
        except NO_ANSWER as error:
            raise SourceUnavailable(f"OPC UA server {config.url}: {_words(error)}") from error

    async def _identify(self, client: Client) -> None:
        """Gives the client our user and certificates."""
        config = self._config
        try:
            if config.username is not None:
                client.set_user(config.username)
                client.set_password(config.secret or "")
        except (OSError, BadSecret) as error:
            raise SourceUnavailable(f"OPC UA server {config.url}: the password cannot be read: {error}") from error
        if config.security is None:
            return
        try:
            await client.set_security_string(config.security)
        except (ValueError, TypeError, *NO_ANSWER) as error:  # TypeError: how cryptography calls a key with a password
            raise SourceUnavailable(
                f"OPC UA server {config.url}: certificate or key cannot be used: {_words(error)}"
            ) from error

    async def _resolve(self, client: Client) -> list[Node]:
        nodes = []
        self._variables = {}
        for machine in self._config.machines:
            variables = await _browse(client, machine)
            if not variables:
                raise SourceUnavailable(
                    f"OPC UA server {self._config.url}: {machine.path}: no variables below {machine.node}; is the node id right?"
                )
            for tag, node in variables.items():
                self._variables[node.nodeid] = Variable(machine.location, tag, node.nodeid.to_string())
                nodes.append(node)
        return nodes

    async def _subscribe(self, client: Client, nodes: list[Node]) -> None:
        config = self._config
        subscription = await client.create_subscription(config.publish_interval_ms, self)
        results = await subscription.subscribe_data_change(
            nodes, queuesize=config.queue_size, sampling_interval=config.sampling_interval_ms
        )
        refused = [
            f"{self._variables[node.nodeid].path} {self._variables[node.nodeid].tag} ({node.nodeid.to_string()}): {result.name}"
            for node, result in zip(nodes, results if isinstance(results, list) else [results], strict=True)
            if isinstance(result, ua.StatusCode)
        ]
        if refused:
            raise SourceUnavailable(
                f"OPC UA server {config.url} refuses {len(refused)} tags: {'; '.join(refused[:5])}; correct the node ids"
            )

    async def batches(self) -> AsyncIterator[Batch]:
        """History first, then what the subscription brings. Raises `SourceUnavailable` when the server is silent to a probe."""
        if self._config.history:
            async for missed in self._missed():
                yield Batch.of(missed)
        while True:
            if not self._waiting:
                self._check()
                self._news.clear()
                try:
                    await asyncio.wait_for(self._news.wait(), PROBE_S)
                except TimeoutError:
                    await self._probe()
                continue
            parts: list[Reading | Malformed] = []
            for _ in range(min(BATCH_MAX, len(self._waiting))):
                variable, value = self._waiting.popleft()
                if not _never_had_a_value(value) and self._novelty.live(variable.key, mark(value)):
                    parts.append(decode(*variable, value))
            if parts:
                yield Batch.of(parts)

    async def _missed(self) -> AsyncIterator[list[Reading | Malformed]]:
        """Reads history from the newest value that is safe to the first that the subscription told, for each tag.

        A server's history lags behind: what was written just before the subscription began may not be in it yet.
        """
        behind = {variable: self._resume[variable.key] for variable in self._variables.values() if variable.key in self._resume}  # fmt: skip
        patience = time.monotonic() + LAG_S
        while behind and time.monotonic() < patience:
            missed: list[Reading | Malformed] = []
            for variable, since in list(behind.items()):
                until = self._first.get(variable.key)
                if until is not None and until <= since:
                    del behind[variable]
                    continue
                values = await self._history(variable, since)
                if values is None:
                    del behind[variable]  # no history: the gap shows as unknown
                    continue
                news = [value for value in values if self._novelty.of_history(variable.key, mark(value))]
                behind[variable] = max((since, *(mark(value).at for value in values)))
                missed += [decode(*variable, value) for value in news]
            self._check()
            missed.sort(key=lambda part: part.sample.at if isinstance(part, Reading) else 0)
            for start in range(0, len(missed), BATCH_MAX):
                yield missed[start : start + BATCH_MAX]
            if missed:
                patience = time.monotonic() + LAG_S
            elif behind:
                await asyncio.sleep(LAG_PAUSE_S)

    async def _history(self, variable: Variable, since: int) -> list[ua.DataValue] | None:
        """Values from a time on, at most `history_max`; None when the server keeps none for the variable."""
        assert self._client is not None
        try:
            values = await self._client.get_node(variable.node_id).read_raw_history(
                starttime=moment(since), numvalues=self._config.history_max, return_bounds=False
            )
        except OSError as error:
            raise SourceUnavailable(f"OPC UA server {self._config.url}: {_words(error)}") from error
        except UaError:
            return None
        self._answered = time.monotonic()
        return list(values)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        try:
            await asyncio.wait_for(client.disconnect(), 2)
        except NO_ANSWER:  # the link is half dead; it is given up either way
            client.disconnect_socket()

    def healthy(self) -> bool:
        return (
            self._client is not None
            and self._lost is None
            and time.monotonic() - self._answered < 3 * PROBE_S + self._config.timeout_s
        )

    async def _probe(self) -> None:
        self._check()
        assert self._client is not None
        try:
            await asyncio.wait_for(self._client.check_connection(), self._config.timeout_s)
            await asyncio.wait_for(self._client.nodes.server_state.read_value(), self._config.timeout_s)
        except NO_ANSWER as error:
            raise SourceUnavailable(
                f"OPC UA server {self._config.url} does not answer any more ({_words(error)})"
            ) from error
        self._answered = time.monotonic()

    def _check(self) -> None:
        if self._lost is not None:
            raise SourceUnavailable(f"OPC UA server {self._config.url}: {self._lost}")

    # -- called by asyncua -------------------------------------------------------------------------------------

    def datachange_notification(self, node: Node, _value: Any, data: Any) -> None:
        self._answered = time.monotonic()
        if len(self._waiting) >= WAITING_MAX:
            self._lost = (
                f"more than {WAITING_MAX} changes wait; Kafka or this machine is too slow, the rest comes from history"
            )
        else:
            variable, value = self._variables[node.nodeid], data.monitored_item.Value
            self._first.setdefault(variable.key, mark(value).at)
            self._waiting.append((variable, value))
        self._news.set()

    def status_change_notification(self, status: ua.StatusChangeNotification) -> None:
        self._lost = f"the subscription ended: {status.Status.name}"
        self._news.set()


def _never_had_a_value(value: ua.DataValue) -> bool:
    """Null without a source time, and no failure either: a variable that waits for its first value."""
    if (value.Value is not None and value.Value.Value is not None) or value.SourceTimestamp is not None:
        return False
    code = value.StatusCode.value if value.StatusCode is not None else 0
    return code in (0, ua.StatusCodes.BadWaitingForInitialData)


async def _browse(client: Client, machine: Machine) -> dict[str, Node]:
    """Tag → node: those listed, then the variables below the node, a folder's name before its variables'."""
    variables = {tag: client.get_node(text) for tag, text in machine.tags.items()}
    listed = {node.nodeid for node in variables.values()}
    if machine.node is None:
        return variables
    level = [("", client.get_node(machine.node))]
    seen: set[ua.NodeId] = set()
    for _ in range(BROWSE_DEPTH):
        below: list[tuple[str, Node]] = []
        for prefix, parent in level:
            for child in await parent.get_children_descriptions():
                if child.NodeId in seen or (
                    child.NodeId.NamespaceIndex == 0 and child.NodeId.Identifier == ua.ObjectIds.Server
                ):
                    continue
                seen.add(child.NodeId)
                name, node = f"{prefix}{child.BrowseName.Name}", client.get_node(child.NodeId)
                if child.NodeClass == ua.NodeClass.Variable:
                    if child.NodeId not in listed and len(variables) < TAGS_MAX:
                        variables.setdefault(name, node)
                elif child.NodeClass == ua.NodeClass.Object:
                    below.append((f"{name}.", node))
        level = below
    return variables


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
