"""How often one may try to sign in. Pure: the time is given."""

from collections import OrderedDict
from collections.abc import Iterable

FREE = {"user": 5, "address": 20}
"""Failures before one has to wait: of one name, and from one address, behind which a whole shop may sit."""
WAIT_MAX_S = 300.0
FORGOTTEN_S = 3600.0
ENTRIES_MAX = 10_000

Key = tuple[str, str]
"""("user", name) or ("address", address)."""


class Limiter:
    """After some failures each further one doubles the wait, up to five minutes. Nobody is locked out for ever: that would
    let anybody lock out anybody. At most `ENTRIES_MAX` keys are remembered; the one that failed longest ago makes room."""

    def __init__(self) -> None:
        self._failures: OrderedDict[Key, tuple[int, float]] = OrderedDict()
        """Key → how many, when the last was."""

    def wait_s(self, keys: Iterable[Key], now_s: float) -> float:
        """How long it is until the next try is looked at; 0: now."""
        return max((self._wait_s(key, now_s) for key in keys), default=0.0)

    def failed(self, keys: Iterable[Key], now_s: float) -> None:
        for key in keys:
            count, at = self._failures.pop(key, (0, now_s))
            self._failures[key] = (1 if now_s - at > FORGOTTEN_S else count + 1, now_s)
            if len(self._failures) > ENTRIES_MAX:
                self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """The name's failures are forgotten; of the address only this try is: it may have tried other names."""
        self._failures.pop(("user", name), None)
        count, at = self._failures.pop(("address", address), (0, 0.0))
        if count > 1:
            self._failures[("address", address)] = (count - 1, at)

    def __len__(self) -> int:
        return len(self._failures)

    def _wait_s(self, key: Key, now_s: float) -> float:
        count, at = self._failures.get(key, (0, now_s))
        beyond = count - FREE[key[0]]
        if beyond < 0 or now_s - at > FORGOTTEN_S:
            return 0.0
        return max(0.0, at + min(2.0 ** min(beyond, 20), WAIT_MAX_S) - now_s)
