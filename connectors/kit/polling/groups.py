"""A link to one device that answers for each thing in a request by itself: what it refuses costs nothing else."""

import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from connectors.base import Said
from connectors.kit.polling.poller import Poller, WireT
from connectors.kit.polling.readings import Point, reading
from connectors.kit.polling.schedule import Schedule, Turn
from connectors.kit.polling.wire import Garbled, Silent


class Item(Protocol):
    """One thing of a request, which is answered or refused as a whole."""

    @property
    def points(self) -> Sequence[Point]: ...


ItemT = TypeVar("ItemT", bound=Item)


@dataclass(frozen=True, slots=True)
class Group(Generic[ItemT]):
    """One request."""

    items: tuple[ItemT, ...]
    unit: int = 0

    @property
    def points(self) -> Sequence[Point]:
        return [point for item in self.items for point in item.points]

    def __str__(self) -> str:
        more = f" and {len(self.items) - 1} more" if len(self.items) > 1 else ""
        return f"{self.items[0]}{more}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a device says in place of a value."""

    quality: int
    words: str
    lasting: bool = True
    """Whether it will most likely be the answer next time, too."""
    divisible: bool = False
    """Whether it may be the fault of a part, so that the rest is worth asking for."""


class GroupPoller(Poller[Group[ItemT], WireT]):
    """Asks a wire for items, and takes for each what it says or a `Refusal`."""

    @abstractmethod
    def _groups(self) -> Iterable[tuple[float, list[Group[ItemT]]]]:
        """By period, the requests that bring everything."""

    @abstractmethod
    def _decode(self, item: ItemT, answer: Any, arrived: int) -> Iterator[Said]:
        """What an answer says, at µs."""

    @abstractmethod
    def _refusal(self, code: int) -> Refusal:
        """What the code means by which a whole request was refused."""

    def _split(self, item: ItemT) -> list[ItemT]:
        """A refused item in smaller ones; itself where there are none."""
        return [item]

    def _plan(self, before: Schedule[Group[ItemT]]) -> Schedule[Group[ItemT]]:
        schedule, now = Schedule(self._stagger, before), time.monotonic()
        for period_s, groups in self._groups():
            schedule.add(groups, period_s, now)
        return schedule

    async def _ask(self, wire: WireT, block: Group[ItemT]) -> Any:
        return await wire.ask(block.items)

    async def _touch(self, wire: WireT, block: Group[ItemT]) -> None:
        await wire.ask(block.items[:1])

    def _out_of_step(self, error: Silent | Garbled) -> bool:
        """Such a link is opened anew for either: nothing that comes late is then taken for something else."""
        return True

    async def _take(self, turn: Turn[Group[ItemT]], answer: Sequence[Any], began: float, anew: bool) -> None:
        arrived, items = time.time_ns() // 1000, turn.block.items
        said: list[Said] = []
        rest: list[ItemT] = []
        apart: list[ItemT] = []
        refusals: list[Refusal] = []
        for item, says in zip(items, answer, strict=True):
            if not isinstance(says, Refusal):
                said += self._decode(item, says, arrived)
                rest.append(item)
            elif says.divisible and len(parts := self._split(item)) > 1:
                apart += parts
            else:
                said += (reading(point, None, says.quality, arrived) for point in item.points)
                if says.lasting:
                    apart.append(item)
                    refusals.append(says)
                else:
                    rest.append(item)
        if not anew:  # else all is due again, and comes to this next time
            self._settle(turn, rest, apart, refusals, began)
        await self._tell(self._once(said))

    def _settle(
        self,
        turn: Turn[Group[ItemT]],
        rest: Sequence[ItemT],
        apart: Sequence[ItemT],
        refusals: Sequence[Refusal],
        began: float,
    ) -> None:
        """What is refused is asked for apart from the rest from now on, and seldom."""
        now = time.monotonic()
        if not apart:
            self._schedule.answered(turn, began, now)
        elif not rest and len(apart) == 1 and refusals:
            self._refuse(turn, refusals[0].words, began)
        else:
            self._schedule.heard(turn, began, now)
            unit = turn.block.unit
            groups = ([Group(tuple(rest), unit)] if rest else []) + [Group((item,), unit) for item in apart]
            self._schedule.replace(turn, groups, now)

    def _refused(self, turn: Turn[Group[ItemT]], code: int, began: float) -> list[Said]:
        refusal = self._refusal(code)
        if refusal.lasting:
            self._refuse(turn, refusal.words, began)
        else:
            self._schedule.answered(turn, began, time.monotonic())
        return list(self._bad([turn.block], refusal.quality))
