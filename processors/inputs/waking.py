"""Gaps as a machine's signs of life have it: one without an end ends with the first sign after its begin."""

from collections.abc import Collection, Iterable, Sequence

from processors.inputs.counters import MADE_BEFORE
from processors.inputs.gaps import Span
from processors.inputs.liveness import Life
from processors.inputs.readings import Readings
from processors.inputs.series import Series
from schemas.records import Gap


def listen(life: Life, series: Collection[Series], gaps: Sequence[Gap]) -> Span | None:
    """Has a machine's signs judged by the gaps as they are now; returns the stretch in which that changes anything."""
    if not gaps and not life.unheard.spans:
        return None
    return life.unheard.tell(gaps, lambda at: woken(life, series, at))


def woken(life: Life, series: Iterable[Series], at: int) -> int:
    """As far as the tags that are kept and chains of signs tell, so at the latest; INF while there is none. Of evicted samples only that there
    was one is known: the newest stands for the first."""
    signs = [life.heard_after(at)]
    for samples in series:
        before = MADE_BEFORE if isinstance(samples, Readings) else 0
        if samples.carry is not None and samples.carry.at + before > at:
            signs.append(samples.carry.at + before)
        elif (sample := samples.first_after(at - before)) is not None:
            signs.append(sample.at + before)
    return min(signs)
