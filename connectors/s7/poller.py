"""One controller: how its blocks are planned, and what its answers say."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from connectors.base import Said
from connectors.kit.polling.groups import Group, GroupPoller, Refusal
from connectors.kit.polling.poller import Tell
from connectors.kit.polling.schedule import Unit
from connectors.s7.address import Point
from connectors.s7.blocks import PDU_MIN, Span, groups, split
from connectors.s7.codec import decode
from connectors.s7.config import Plc, S7Config
from connectors.s7.quality import of_request

if TYPE_CHECKING:
    from connectors.s7.wire import S7Wire


class S7Poller(GroupPoller[Span, "S7Wire"]):
    """The machines behind one controller."""

    def __init__(
        self, name: str, config: S7Config, plc: Plc, stagger: float, tell: Tell, moved: Callable[[], None]
    ) -> None:
        super().__init__("s7", name, plc.url, plc.timeout_s, stagger, tell, moved)
        self._plc = plc
        self._pdu = PDU_MIN
        self._by_period: dict[float, list[Point]] = {}
        for period_s, point in config.points(plc):
            self._by_period.setdefault(period_s, []).append(point)
        self._schedule = self._plan(self._schedule)

    def _groups(self) -> Iterable[tuple[float, list[Group[Span]]]]:
        for period_s, points in self._by_period.items():
            yield period_s, groups(points, self._plc.gap, self._pdu)

    def _wire(self) -> "S7Wire":
        from connectors.s7.wire import S7Wire  # its library is an extra

        return S7Wire(self._plc)

    def _opened(self, wire: "S7Wire") -> None:
        if wire.pdu != self._pdu:
            self._pdu = wire.pdu
            self._schedule = self._plan(self._schedule)

    def _decode(self, item: Span, answer: bytes, arrived: int) -> Iterator[Said]:
        return decode(item, answer, arrived, self.url, self._plc.encoding, self._plc.zone_info)

    def _split(self, item: Span) -> list[Span]:
        return split(item)

    def _refusal(self, code: int) -> Refusal:
        return of_request(code)

    def _where(self, block: Group[Span]) -> str:
        return f"{block.points[0].path} ({self.url} {block})"

    def _unit(self, unit: Unit) -> str:
        return f"{self._plc.machines[0].path} ({self.url})"
