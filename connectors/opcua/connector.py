"""The OPC UA connection: one subscription for all tags, a watchdog, and history for what was missed."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from asyncua import Client, Node, ua
from asyncua.ua.uaerrors import UaError

from connectors.base import Batch, Malformed, Reading, Resume, SourceUnavailable
from connectors.opcua.codec import decode, micros, moment
from connectors.opcua.config import Machine, OpcUaConfig
from topology.path import Path

WAITING_MAX = 200_000
"""Changes received and not yet in a batch. More, and the link is dropped: history has them, memory must not."""
BATCH_MAX = 2_000
PROBE_S = 2.0
"""How often a silent server is asked whether it is alive."""
HISTORY_LAG_S = 2.0
"""Longest wait at an open, for all variables together, for a history that is behind the values."""
BROWSE_DEPTH = 6
TAGS_MAX = 20_000

_ANY = object()
"""Stands for a value that is known by its time only."""

_ERRORS = (UaError, OSError, TimeoutError, asyncio.TimeoutError, ConnectionError)


class Variable(NamedTuple):
    path: Path
    tag: str
    node_id: str


class OpcUaConnector:
    """Every change with the source's own time, in order per tag. After a gap the server's history comes first, where
    there is one; a server without history cannot be asked again (see the README).
    """

    def __init__(self, name: str, config: OpcUaConfig) -> None:
        self._name, self._config = name, config
        self._client: Client | None = None
        self._waiting: deque[tuple[Variable, ua.DataValue]] = deque()
        self._history: list[Reading | Malformed] = []
        self._safe: dict[tuple[Path, str], tuple[int, object]] = {}
        self._heard: set[tuple[Path, str]] = set()
        self._variables: dict[ua.NodeId, Variable] = {}
        self._news = asyncio.Event()
        self._lost: str | None = None
        self._answered = 0.0

    async def open(self, resume: Resume) -> None:
        """Connects, subscribes, then reads the history of every tag that `resume` knows, in this order: nothing falls between."""
        self._news, self._lost, self._answered = asyncio.Event(), None, time.monotonic()
        self._waiting.clear()
        self._safe, self._history, self._heard = {place: (at, _ANY) for place, at in resume.items()}, [], set()
        config = self._config
        client = Client(config.url, timeout=config.timeout_s, watchdog_intervall=PROBE_S)
        try:
            if config.username is not None:
                client.set_user(config.username)
                client.set_password(config.secret or "")
            if config.security is not None:
                await client.set_security_string(config.security)
            await asyncio.wait_for(client.connect(), config.timeout_s * 3)
        except ValueError as error:
            raise SourceUnavailable(
                f"OPC UA server {config.url}: certificate or key cannot be used: {error}"
            ) from error
        except _ERRORS as error:
            raise SourceUnavailable(
                f"OPC UA server {config.url} cannot be reached ({_words(error)}); is it up, are address, user and certificate right?"
            ) from error
        self._client = client
        try:
            nodes = await self._resolve(client)
            await self._subscribe(client, nodes)
            if config.history:
                await self._back_fill(client, nodes)
        except _ERRORS as error:
            raise SourceUnavailable(f"OPC UA server {config.url}: {_words(error)}") from error

    async def _resolve(self, client: Client) -> list[Node]:
        nodes = []
        self._variables = {}
        for machine in self._config.machines:
            found = await _browse(client, machine)
            if not found:
                raise SourceUnavailable(
                    f"OPC UA server {self._config.url}: {machine.path}: no variables below {machine.node}; is the node id right?"
                )
            for tag, node in found.items():
                self._variables[node.nodeid] = Variable(machine.place, tag, node.nodeid.to_string())
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

    async def _back_fill(self, client: Client, nodes: list[Node]) -> None:
        """Reads until history reaches the value of this moment: a server writes its history a little behind."""
        known = [(node, self._variables[node.nodeid]) for node in nodes]
        known = [(node, one) for node, one in known if (one.path, one.tag) in self._safe]
        if not known:
            return
        now = await client.uaclient.read_attributes([node.nodeid for node, _ in known], ua.AttributeIds.Value)
        deadline = time.monotonic() + HISTORY_LAG_S
        for (node, variable), current in zip(known, now, strict=True):
            start = self._safe[variable.path, variable.tag][0]
            wanted = micros(current.SourceTimestamp) if current.SourceTimestamp is not None else start
            try:
                while True:
                    values = await node.read_raw_history(
                        starttime=moment(start), numvalues=self._config.history_max, return_bounds=False
                    )
                    reached = max(
                        (micros(value.SourceTimestamp) for value in values if value.SourceTimestamp), default=start
                    )
                    if reached >= wanted or len(values) >= self._config.history_max or time.monotonic() > deadline:
                        break
                    await asyncio.sleep(0.05)
            except UaError:
                continue  # this variable has no history: the gap shows as unknown
            for value in values:
                self._keep(variable, value, self._history)

    async def batches(self) -> AsyncIterator[Batch]:
        """History first, then what the subscription brings. Raises `SourceUnavailable` when the server is silent to a probe."""
        self._history.sort(key=lambda part: part.sample.at if isinstance(part, Reading) else 0)
        while self._history:
            part, self._history = self._history[:BATCH_MAX], self._history[BATCH_MAX:]
            yield _batch(part)
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
                self._keep(*self._waiting.popleft(), parts)
            if parts:
                yield _batch(parts)

    def _keep(self, variable: Variable, value: ua.DataValue, parts: list[Reading | Malformed]) -> None:
        """Adds what is new. A server repeats its latest value on every subscription, and history what was safe already."""
        if value.Value is None or (value.Value.Value is None and value.SourceTimestamp is None):
            return  # a variable that never had a value
        part = decode(variable.path, variable.tag, variable.node_id, value)
        if isinstance(part, Reading):
            place, at = (variable.path, variable.tag), part.sample.at
            known_at, known = self._safe.get(place, (-1, _ANY))
            first = place not in self._heard
            self._heard.add(place)
            if at == known_at and (known is _ANY or known == part.sample.value):
                return
            if at < known_at and first:
                return
            if at >= known_at:
                self._safe[place] = (at, part.sample.value)
        parts.append(part)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        try:
            await asyncio.wait_for(client.disconnect(), 2)
        except Exception:  # the link may be half dead; it is given up either way
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
        except Exception as error:
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
            self._waiting.append((self._variables[node.nodeid], data.monitored_item.Value))
        self._news.set()

    def status_change_notification(self, status: ua.StatusChangeNotification) -> None:
        self._lost = f"the subscription ended: {status.Status.name}"
        self._news.set()


def _batch(parts: list[Reading | Malformed]) -> Batch:
    return Batch(
        readings=tuple(part for part in parts if isinstance(part, Reading)),
        malformed=tuple(part for part in parts if isinstance(part, Malformed)),
    )


async def _browse(client: Client, machine: Machine) -> dict[str, Node]:
    """Tag → node: those listed, then the variables below the node, a folder's name before its variables'."""
    found = {tag: client.get_node(text) for tag, text in machine.tags.items()}
    listed = {node.nodeid for node in found.values()}
    if machine.node is None:
        return found
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
                    if child.NodeId not in listed and len(found) < TAGS_MAX:
                        found.setdefault(name, node)
                elif child.NodeClass == ua.NodeClass.Object:
                    below.append((f"{name}.", node))
        level = below
    return found


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
