"""The slots of the tags that an equipment type names, by their roles, with what their samples go into."""

from collections.abc import Callable
from typing import NamedTuple

from processors.cell.tags import Featured, Measured, Metered, Named, Reasoned, Slot, Stated, Whole
from processors.cell.watched import watch
from processors.inputs.counters import Counter, of_energy, of_pieces
from processors.inputs.measurements import Measurements
from processors.inputs.series import Series
from processors.timeline.elements import UNKNOWN
from processors.timeline.timeline import Timeline
from topology.model.alarms import Alarm, alarms_of
from topology.model.equipment import EquipmentType
from topology.model.tags import Tag


class Slots(NamedTuple):
    tags: dict[str, Slot]
    series: dict[str, Series]
    """Samples kept, by tag. Of a characteristic: its points published, value as `spc.chart.ordinal`, in place of the offset
    the revision."""
    counters: list[Counter]
    spread: dict[str, Counter]
    """By tag, those whose amounts are spread."""
    measurements: dict[str, Measurements]
    """By characteristic, those too that are only inspected by hand."""
    reasons: Series
    alarms: dict[str, Alarm]
    """What the alarm rules of the type make, by name."""
    features: dict[str, Measurements]
    """By tag: values that rules of condition and anomaly read."""


def slots_of(equipment: EquipmentType, timeline: Timeline, cycle_us: Callable[[int], int]) -> Slots:
    """New ones. `cycle_us`: the ideal time for one piece, at an instant."""
    slots = Slots({}, {}, [], {}, {}, Series(), alarms_of(equipment.alarms), {})
    rules = (*equipment.conditions.values(), *equipment.anomaly.values())
    watched = {tag for rule in rules for tag in rule.tags}
    for tag, spec in equipment.tags.items():
        if tag in watched:
            slots.features[tag] = Measurements()
        slots.tags[tag] = _slot(slots, tag, spec, timeline, cycle_us)
    watch(slots.alarms, slots.tags, slots.series)
    return slots


def _slot(slots: Slots, tag: str, spec: Tag, timeline: Timeline, cycle_us: Callable[[int], int]) -> Slot:
    match spec.role:
        case "state" | "mode":
            series = slots.series[tag] = timeline.state if spec.role == "state" else timeline.mode
            named = Stated if spec.role == "state" else Named
            own = not isinstance(spec.map, str)
            return named(tag, series, timeline.names.codes(spec.codes), timeline.names.number(UNKNOWN), own)
        case "good_count" | "scrap_count" | "rework_count":
            counter = _count(slots, of_pieces(tag, spec, cycle_us))
            return Whole(tag, counter.series, spec.modulus, counter.before)
        case "energy":
            counter = _count(slots, of_energy(tag, spec))
            return Metered(tag, counter.series, counter.before)
        case "reason":
            slots.series[tag] = slots.reasons
            return Reasoned(tag, slots.reasons, spec.map)
        case "characteristic":
            slots.series[tag] = Series()
            values = slots.measurements[tag] = Measurements()
            return Featured(tag, values, slots.features[tag]) if tag in slots.features else Measured(tag, values)
        case "feature" if tag in slots.features:
            return Measured(tag, slots.features[tag])
        case _:
            return Slot(tag)


def _count(slots: Slots, counter: Counter) -> Counter:
    """Has a counter count."""
    slots.counters.append(counter)
    slots.series[counter.tag] = counter.series
    if counter.spread_us is not None:
        slots.spread[counter.tag] = counter
    return counter
