"""One controller: which names are asked for together, and what its answers say."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from connectors.base import Said
from connectors.ethernetip.codec import decode
from connectors.ethernetip.config import EtherNetIpConfig, Plc
from connectors.ethernetip.quality import of_status
from connectors.ethernetip.wanted import Wanted, groups
from connectors.kit.polling.groups import Group, GroupPoller, Refusal
from connectors.kit.polling.poller import PROBLEMS_MAX, Tell
from connectors.kit.polling.schedule import Unit

if TYPE_CHECKING:
    from connectors.ethernetip.wire import EtherNetIpWire

SIZE_MIN = 500


class EtherNetIpPoller(GroupPoller[Wanted, "EtherNetIpWire"]):
    """The machines behind one controller."""

    def __init__(
        self, name: str, config: EtherNetIpConfig, plc: Plc, stagger: float, tell: Tell, moved: Callable[[], None]
    ) -> None:
        super().__init__("ethernetip", name, plc.url, plc.timeout_s, stagger, tell, moved)
        self._plc, self._size = plc, SIZE_MIN
        self._wanted = list(config.wanted(plc))
        self._found: dict[Wanted, list[Wanted]] = {}
        """What is in those of which all members are read."""
        self._missing: Sequence[str] = ()
        self._schedule = self._plan(self._schedule)

    def _groups(self) -> Iterable[tuple[float, list[Group[Wanted]]]]:
        by_period: dict[float, list[Wanted]] = {}
        for period_s, wanted in self._wanted:
            by_period.setdefault(period_s, []).extend(self._found.get(wanted, [wanted]))
        for period_s, names in by_period.items():
            yield period_s, groups(names, self._size)

    def _wire(self) -> "EtherNetIpWire":
        from connectors.ethernetip.wire import EtherNetIpWire  # its library is an extra

        return EtherNetIpWire(self._plc, [wanted for _, wanted in self._wanted if wanted.members])

    def _opened(self, wire: "EtherNetIpWire") -> None:
        if (wire.size, wire.found) != (self._size, self._found):
            self._size, self._found = wire.size, wire.found
            self._schedule = self._plan(self._schedule)
        self._missing = wire.missing

    def _decode(self, item: Wanted, answer: bytes, arrived: int) -> Iterator[Said]:
        return decode(item, answer, arrived, self.url, self._plc.encoding)

    def _refusal(self, code: int) -> Refusal:
        return of_status(code)

    def _where(self, block: Group[Wanted]) -> str:
        return f"{block.items[0].path} ({self.url} {block})"

    def _unit(self, unit: Unit) -> str:
        return f"{self._plc.machines[0].path} ({self.url})"

    def problems(self) -> Sequence[str]:
        found = super().problems()
        return found if self.lost is not None else [*self._missing[:PROBLEMS_MAX], *found]
