"""One controller: which variables are asked for together, and what its answers say."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from connectors.ads.codec import Answer, decode
from connectors.ads.config import AdsConfig, Plc
from connectors.ads.quality import of_code
from connectors.ads.wanted import Wanted, groups
from connectors.base import Said
from connectors.kit.polling.groups import Group, GroupPoller, Refusal
from connectors.kit.polling.poller import Tell
from connectors.kit.polling.schedule import Unit
from connectors.kit.polling.wire import Garbled, Silent

if TYPE_CHECKING:
    from connectors.ads.wire import AdsWire


class AdsPoller(GroupPoller[Wanted, "AdsWire"]):
    """The machines behind one controller; each of its programs (AMS ports) is a unit."""

    def __init__(
        self, name: str, config: AdsConfig, plc: Plc, stagger: float, tell: Tell, moved: Callable[[], None]
    ) -> None:
        super().__init__("ads", name, plc.url, plc.timeout_s, stagger, tell, moved)
        self._plc, self._net_id = plc, config.net_id
        self._by_period: dict[float, list[Wanted]] = {}
        for period_s, wanted in config.wanted(plc):
            self._by_period.setdefault(period_s, []).append(wanted)
        self._machines: dict[int, str] = {}
        """By port the first machine of it, for people."""
        for machine in plc.machines:
            self._machines.setdefault(machine.port or plc.port, machine.path)
        self._troubles: Mapping[int, str] = {}
        """By port why its program does not run."""
        self._schedule = self._plan(self._schedule)

    def _groups(self) -> Iterable[tuple[float, list[Group[Wanted]]]]:
        for period_s, wanted in self._by_period.items():
            yield period_s, groups(wanted)

    def _wire(self) -> "AdsWire":
        from connectors.ads.wire import AdsWire  # its library is an extra

        return AdsWire(self._plc, self._net_id)

    def _opened(self, wire: "AdsWire") -> None:
        self._troubles = wire.troubles

    def _decode(self, item: Wanted, answer: Answer, arrived: int) -> Iterator[Said]:
        return decode(item, answer, arrived, self.url, self._plc.encoding, self._plc.zone_info)

    def _out_of_step(self, error: Silent | Garbled) -> bool:
        """An answer has the number of its request: what comes late is taken for nothing else."""
        return isinstance(error, Garbled)

    def _refusal(self, code: int) -> Refusal:
        return of_code(code)

    def _where(self, block: Group[Wanted]) -> str:
        return f"{block.items[0].path} ({self.url} {block})"

    def _unit(self, unit: Unit) -> str:
        return f"{self._machines[unit.number]} ({self.url}, AMS port {unit.number})"

    def problems(self) -> Sequence[str]:
        found = super().problems()
        if self.lost is not None:
            return found
        ours = dict(self._troubles)  # it changes in another thread
        return [*(f"{self._machines[port]} ({self.url}): {why}" for port, why in ours.items()), *found]
