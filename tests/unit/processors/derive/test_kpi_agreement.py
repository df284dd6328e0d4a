"""iso22400@2 gives, to the last bit, what the folds publish by iso22400@1."""

from hypothesis import given
from hypothesis import strategies as st

from processors.derive.oee import measures
from processors.inputs.schedule import Schedule
from processors.timeline.elements import Elements
from processors.timeline.totals import Group, Totals
from topology.kpi.definition import definition
from topology.kpi.values import Facts, Pieces, values


@given(
    st.lists(st.integers(0, 10**11), min_size=8, max_size=8),
    st.booleans(),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(1, 3600),
)
def test_the_published_ratios_are_those_of_the_formulas(
    us: list[int], seen: bool, good: int, scrap: int, cycle_s: int
) -> None:
    totals = Totals(us, good, scrap, observed_us=us[0] if seen else 0)
    elements = Elements(definition("iso22400@2"))
    published = measures({Group(None, None, ""): totals}, Schedule([], [], False, False), float(cycle_s), elements)
    facts = Facts(
        dict(zip(elements.names, us, strict=True)), (Pieces(cycle_s * 1_000_000, good, scrap),), {}, totals.observed_us
    )
    found = values(definition("iso22400@2"), facts)
    for name in ("availability", "performance", "quality", "oee"):
        assert getattr(published, name) == found[name]
