"""What history has, read beside the live values: which tags may have a hole, what of it is new, and when all is told."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress

from asyncua import ua
from asyncua.client.ua_client import UaClient

from connectors.base import Batch, Malformed, Reading, Safe
from connectors.kit.tasks import ended
from connectors.opcua.codec import Part
from connectors.opcua.history import History, Missed
from connectors.opcua.items import Item, Items, Variable
from connectors.opcua.novelty import Novelty, TagKey, mark
from connectors.opcua.services import NO_ANSWER
from connectors.opcua.tags import Tags

MISSED_MAX = 4
"""Pieces of history that wait to be taken."""


class CatchingUp:
    """Lives as long as the connector; `begin` and `end` are those of a connection."""

    def __init__(self, history: History, novelty: Novelty, tags: Tags, stir: Callable[[], None]) -> None:
        """`stir` is called whenever something has come."""
        self._history, self._novelty, self._tags, self._stir = history, novelty, tags, stir
        self._items: Items | None = None
        self._missed: asyncio.Queue[Missed | None] = asyncio.Queue(MISSED_MAX)
        self._reader: asyncio.Task[None] | None = None
        self.holes: set[Item] = set()
        """Items whose history is being read."""

    def begin(self, services: UaClient, items: Items, wanted: bool) -> None:
        self._missed = asyncio.Queue(MISSED_MAX)
        self._items, self.holes = items, set()
        if not wanted:
            return
        since: dict[ua.NodeId, int] = {}
        for item in items:
            holes = [hole for key in self._keys(item) if (hole := self._novelty.hole(key)) is not None]
            if holes:
                since[item.node] = min(holes)
                self.holes.add(item)
        if any(self._novelty.knew(key) for item in items for key in self._keys(item)):
            self._reader = asyncio.create_task(self._read(services, items, since), name="history")

    async def _read(self, services: UaClient, items: Items, since: dict[ua.NodeId, int]) -> None:
        def live_since(node: ua.NodeId) -> int | None:
            item = items.at(node)
            keys = () if item is None else self._tags.of(item.variables[0].key)
            return next((since for key in keys if (since := self._novelty.live_since(key)) is not None), None)

        async for missed in self._history.fill(services, since, live_since):
            await self._missed.put(missed)
            self._stir()
        await self._missed.put(None)
        self._stir()

    def check(self) -> None:
        """Raises what the reading of history raised."""
        if self._reader is not None and self._reader.done() and not self._reader.cancelled():
            reader, self._reader = self._reader, None
            reader.result()

    def waits(self) -> bool:
        """Whether a piece is there to be taken."""
        return not self._missed.empty()

    def take(self) -> Missed | None:
        """A piece; None: all is told."""
        return self._missed.get_nowait()

    def new(self, missed: Missed, decoded: Callable[[Variable, ua.DataValue], list[Part]]) -> Batch:
        """What is new of a piece, in order of time."""
        assert self._items is not None
        parts: list[Reading | Malformed] = []
        for node, value in missed:
            item = self._items.at(node)
            for variable in item.variables if item is not None else ():
                parts += [
                    part.said
                    for part in decoded(variable, value)
                    if self._novelty.of_history((variable.path, part.tag), mark(part.said))
                ]
        parts.sort(key=lambda part: part.sample.at if isinstance(part, Reading) else 0)
        return Batch.of(parts)

    def caught_up(self) -> Batch:
        """All that history has is told: what is safe reaches to the present, and paths of which nothing is missing say so."""
        assert self._items is not None
        holes, self.holes = self.holes, set()
        reached: dict[TagKey, Safe] = {}
        paths = {path for item in self._items for path, tag in self._keys(item) if self._novelty.knew((path, tag))}
        for item in holes:
            missing = not self._history.whole(item.node)
            for key in self._keys(item):
                if missing and self._novelty.hole(key) is not None:
                    paths.discard(key[0])
                if (safe := self._novelty.newest(key)) is not None:
                    reached[key] = safe
                self._novelty.caught_up(key)
        return Batch(reached=reached, caught_up=tuple(sorted(paths, key=str)))

    def _keys(self, item: Item) -> Iterator[TagKey]:
        for variable in item.variables:
            yield from self._tags.of(variable.key)

    async def end(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await ended([reader])
            with suppress(asyncio.CancelledError, *NO_ANSWER):
                reader.result()
