"""What packed records are full of, as zlib's preset dictionary: names cost next to nothing, even in a small hour.

Frozen: what is on disk can only be read with the very same words. A type or a field that is not among them is packed as
well, a little larger.
"""

from msgspec.msgpack import encode

_VALUES = (
    "production maintenance manual setup execute stopped held suspended aborted unknown",
    "hour shift order day breakdown micro_stop corrected provisional final",
)
_RECORDS = {
    "Pilot": "started_at ended_at status revision name filter baseline_from baseline_to since until targets warnings",
    "Bottleneck": "started_at ended_at status revision window window_name bottleneck turning_point agrees cells",
    "Changeover": "started_at ended_at status revision from_product to_product from_order to_order teardown_us setup_us "
    "run_in_us planned_us target_us scrap",
    "Alert": "started_at ended_at status revision kind severity state subject message acknowledged_by cause",
    "Quality": "started_at ended_at status revision characteristic value moving_range phase mean lcl ucl range_ucl "
    "lsl usl rules",
    "Cycle": "started_at ended_at status revision product cycles interrupted cycles_us min_us p5_us p10_us "
    "median_us p95_us max_us mean_us slow ideal_cycle_us suspicion suggested_ideal_us",
    "Kpi": "started_at ended_at status revision window window_name order product element_us pieces quantities "
    "loss_us stops values parts rule",
    "Downtime": "started_at ended_at status revision kind state reason_code reason category order stop_started_at "
    "reason_by",
    "Oee": "started_at ended_at status revision window window_name element_us good scrap rework ideal_us "
    "ideal_good_us availability performance quality oee order product",
    "Production": "started_at ended_at status revision good scrap rework resets order product",
    "State": "started_at ended_at status revision state mode element",
}
DICTIONARY = b"".join(
    [encode(values.split()) for values in _VALUES]
    + [encode({name: fields.split()}) for name, fields in _RECORDS.items()]
)
"""Lists and maps in MessagePack, as they stand in what is packed; zlib reaches what comes last cheapest."""
