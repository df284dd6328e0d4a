"""What an instant counts as."""

import pytest

from processors.timeline.elements import PLAIN, Context, Elements
from tests.harness.line_logs import S, plant
from topology.kpi.definition import definition
from topology.model.kpis import selected

ISO = Elements(definition("iso22400@1"))
OWN = Elements(selected(plant("acme@1")))


@pytest.mark.parametrize(
    ("state", "mode", "runs", "halts"),
    [
        ("execute", "production", True, False),
        ("held", "production", False, True),
        ("execute", "setup", False, False),
        ("held", "maintenance", False, False),
        ("execute", "manual", False, True),
        ("unknown", "unknown", False, False),
    ],
)
def test_a_machine_runs_halts_or_neither(state: str, mode: str, runs: bool, halts: bool) -> None:
    assert (ISO.runs(state, mode), ISO.halts(state, mode)) == (runs, halts)


def test_a_stop_is_in_planned_busy_time_with_an_order_unless_it_is_a_breakdown() -> None:
    assert ISO.stops("held", "production", True, "busy")
    assert not ISO.stops("held", "production", False, "busy")
    assert not ISO.stops("held", "production", True, "break")
    assert ISO.stops("aborted", "production", False, "busy")
    assert not ISO.stops("aborted", "production", False, "unplanned")


def test_a_micro_stop_counts_by_the_option_before_any_rule() -> None:
    def name(context: Context) -> str:
        return OWN.names[OWN.index("held", "production", True, "busy", context)]

    assert (name(PLAIN), name(Context("micro", False)), name(Context("micro", True))) == ("DOWN", "JAM", "SHORT")
    assert OWN.contextual
    assert not ISO.contextual
    assert (OWN.micro(reason=False), OWN.micro(reason=True), ISO.micro(reason=False)) == (True, False, False)


def test_short_is_by_the_option_inclusive_else_by_the_type_exclusive() -> None:
    assert OWN.short(120 * S, 1.0)
    assert not OWN.short(120 * S + 1, 1e9)
    assert ISO.short(300 * S - 1, 300.0)
    assert not ISO.short(300 * S, 300.0)


def test_the_margin_is_how_far_noise_is_seen() -> None:
    assert (ISO.margin_us, OWN.margin_us) == (0, 15 * S + 1)
    assert [ISO.names[n] for n in ISO.outside] == [
        name for name, element in ISO.definition.elements.items() if element.loss == "outside"
    ]
    assert ISO.outside
