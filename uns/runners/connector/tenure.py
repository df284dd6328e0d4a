"""Who of those that have a connector's name reads its source: a fold over the topic `lease`, the same for everybody. Pure.

Time is the broker's, as it stamps each record, so that no clock of a host decides.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

LEASE_S = 15.0
"""After so long without a word of the holder another takes over, if it was heard all the while."""
BEATS = 7
"""So often in that time each says that it is there."""
HOLE = 0.5
"""Who was not heard for so much of it begins to wait anew: Kafka may have been away, for the holder as well."""
WAITING_MAX = 100
PAST_MAX = 20


class Beat(msgspec.Struct, frozen=True):
    """What one process says of itself, under the key `connector/run`. Times in µs."""

    run: str
    """Names the process."""
    spool: str
    """Names its spool, wherever that is mounted: the next process on it is its successor, and waits for nobody."""
    host: str
    pid: int
    since: int | None = None
    """When it took over; None: it does not hold the name, or does not know it yet."""
    listened: int | None = None
    """When its link to the source was last known good."""
    lease_s: float = LEASE_S
    """After so long without a word of it another may take over."""
    ended: bool = False
    """It has stopped, and holds nothing any more."""


class Tenure(NamedTuple):
    """Who holds a connector's name, as far as the topic was read."""

    holder: Beat | None = None
    since: int = 0
    """When it took over, µs."""
    heard: int = 0
    """Its newest word, ms of the broker's clock."""
    waiting: Mapping[str, tuple[int, int]] = {}
    """Run of each other → since when it was heard without a hole, and last (ms)."""
    listened: int | None = None
    """When any holder was last known to listen (µs): what a successor was not told begins there."""
    past: tuple[str, ...] = ()
    """Runs that held the name and lost it to another process on the same spool: two of one spool are a copy of it."""

    def is_held_by(self, run: str) -> bool:
        return self.holder is not None and self.holder.run == run and not self.holder.ended


def after(tenure: Tenure, beat: Beat, at_ms: int) -> Tenure:
    """Who holds the name once this was said. `at_ms`: when the broker took it.

    The holder holds it for as long as it speaks. Another takes over where there is none, where the holder has ended or was
    a process on the same spool, and where the holder has said nothing for its `lease_s`, in which the other was heard: silence of
    all is an outage of Kafka's, and takes the name from nobody.
    """
    now = max(at_ms, tenure.heard)
    holder = tenure.holder
    listened = max((at for at in (tenure.listened, beat.listened) if at is not None), default=None)
    if holder is not None and holder.run == beat.run:
        return tenure._replace(holder=beat, heard=now, since=beat.since or tenure.since, listened=listened)
    lease_ms = 1000 * (holder or beat).lease_s
    waiting = {run: of for run, of in tenure.waiting.items() if run != beat.run and now - of[1] <= HOLE * lease_ms}
    if beat.ended:
        return tenure._replace(waiting=waiting)
    begun, last = tenure.waiting.get(beat.run, (now, now))
    if now - last > HOLE * lease_ms:
        begun = now
    succeeds = holder is not None and holder.spool == beat.spool and beat.run not in tenure.past
    outlasted = now - max(begun, tenure.heard) > lease_ms
    if holder is None or holder.ended or succeeds or outlasted:
        past = (*tenure.past, holder.run)[-PAST_MAX:] if holder is not None else ()
        return Tenure(beat, beat.since or now * 1000, now, waiting, listened, past)
    if len(waiting) < WAITING_MAX:
        waiting[beat.run] = (begun, now)
    return tenure._replace(waiting=waiting)
