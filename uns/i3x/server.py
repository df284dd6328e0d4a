"""What the server knows, put together: space, board, subscriptions, and the lock that every thread takes."""

import threading
import time
from collections.abc import Iterable

from schemas.records import Current, Derived
from topology.model.plant import Plant
from uns.i3x.board import Board
from uns.i3x.space import Element, Space, tag_id
from uns.i3x.subscriptions import Limits, Subscriptions, Update
from uns.i3x.vqt import Vqt
from uns.runtime.clock import Clock


class Server:
    """Take `lock` around every call, and let go of it before anything waits."""

    def __init__(self, plant: Plant, now: Clock, limits: Limits) -> None:
        """`now`: the plant's clock."""
        self.plant, self.now = plant, now
        self.lock = threading.Lock()
        self.space = Space(plant)
        self.board = Board(plant, self.space)
        self.subscriptions = Subscriptions(limits)

    def take(self, record: Derived) -> None:
        """A record of the namespace."""
        if isinstance(record, Current):
            self._see(record)
        self.subscriptions.publish(self.board.apply(record))

    def _see(self, current: Current) -> None:
        new = [tag.tag for tag in current.tags if self.space.get(tag_id(current.path, tag.tag)) is None]
        if new:
            self.space.see(current.path, new)
            for tag in new:
                self.subscriptions.reaches(current.path, tag_id(current.path, tag))

    def remove(self, path: str) -> None:
        """A machine has left the namespace."""
        self.subscriptions.publish(self.board.remove(path))

    def reached(self, id_: str, depth: int) -> list[str]:
        """Ids that a depth reaches from an object, itself the first."""
        below = self.space.components(id_) if depth != 1 else []
        return [id_, *(each.id for each in below)]

    def present(self, ids: Iterable[str]) -> list[Update]:
        """What objects are now, where anything was said of them."""
        found = ((id_, self.space.get(id_)) for id_ in ids)
        known = [(id_, self.value(element)) for id_, element in found if element is not None]
        return [(id_, vqt) for id_, vqt in known if vqt.value is not None]

    def value(self, element: Element) -> Vqt:
        return self.board.value(element, self.now())

    @staticmethod
    def clock_s() -> float:
        """What times to live are counted by."""
        return time.monotonic()
