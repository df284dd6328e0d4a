"""The KPI definition as data: every machine time counts as exactly one element, and the shipped one is ISO 22400's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from topology.kpi.definition import ELEMENTS, Definition, Planned, When, definition, shipped
from topology.namespace.packml import STATES

STATE = st.sampled_from(sorted(STATES))
MODE = st.sampled_from(["production", "maintenance", "manual", "setup", "cleaning"])


@pytest.mark.parametrize(
    ("state", "mode", "order", "element"),
    [
        ("execute", "production", True, "APT"),
        ("execute", "production", False, "APT"),
        ("execute", "setup", True, "AUST"),
        ("idle", "setup", False, "AUST"),
        ("execute", "maintenance", True, "PDOT"),
        ("stopped", "maintenance", False, "PDOT"),
        ("execute", "manual", True, "ADET"),
        ("held", "production", True, "ADET"),
        ("aborted", "production", True, "ADET"),
        ("held", "production", False, "ADOT"),
        ("idle", "production", False, "ADOT"),
        ("unknown", "production", True, "unknown"),
        ("unknown", "maintenance", False, "unknown"),
    ],
)
def test_iso_22400_on_machine_time(state: str, mode: str, order: bool, element: str) -> None:
    assert definition("iso22400@1").element(state, mode, order) == element


def test_a_number_carries_name_and_version() -> None:
    assert definition("iso22400@1").label == "iso22400@1"
    assert definition("iso22400@1").running == ("execute",)
    with pytest.raises(LookupError, match=r"did you mean 'iso22400@[12]'\?"):
        definition("iso22400@99")


@pytest.mark.parametrize("label", shipped())
@given(state=STATE, mode=MODE, order=st.booleans())
def test_every_time_counts_as_one_element(label: str, state: str, mode: str, order: bool) -> None:
    found = definition(label)
    assert found.element(state, mode, order) in found.elements
    assert found.element(state, mode, order) == found.element(state, mode, order)


CONDITION = st.builds(
    When,
    state=st.none() | st.lists(STATE, max_size=3).map(tuple),
    mode=st.none() | st.lists(MODE, max_size=3).map(tuple),
    order=st.none() | st.booleans(),
)


@given(
    st.lists(st.tuples(CONDITION, st.sampled_from(ELEMENTS)), max_size=5), st.sampled_from(ELEMENTS), STATE, MODE, st.booleans()
)  # fmt: skip
def test_the_first_rule_that_holds_decides(
    rules: list[tuple[When, str]], otherwise: str, state: str, mode: str, order: bool
) -> None:
    model = [{"when": when.model_dump(), "element": element} for when, element in rules]
    found = Definition.model_validate(
        {
            "name": "x", "version": 1, "description": "x", "running": ["execute"],
            "time_model": [*model, {"element": otherwise}],
        }
    )  # fmt: skip
    expected = otherwise
    for when, element in reversed(rules):
        fits = (
            (when.state is None or state in when.state),
            (when.mode is None or mode in when.mode),
            (when.order is None or order == when.order),
        )
        if all(fits):
            expected = element
    assert found.element(state, mode, order) == expected


@pytest.mark.parametrize(
    ("time_model", "words"),
    [
        ([], "must hold always"),
        ([{"when": {"order": True}, "element": "APT"}], "must hold always"),
        ([{"when": {"state": ["runing"]}, "element": "APT"}, {"element": "ADOT"}], "'runing' is no PackML state"),
        ([{"element": "APX"}], "APT"),
        ([{"when": {"sate": ["execute"]}, "element": "APT"}, {"element": "ADOT"}], "sate"),
    ],
)
def test_a_definition_with_a_hole_is_refused(time_model: list[dict[str, object]], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Definition.model_validate(
            {"name": "x", "version": 1, "description": "x", "running": ["execute"], "time_model": time_model}
        )
    assert words in str(refused.value)


@pytest.mark.parametrize("label", shipped())
@given(state=STATE, mode=MODE, order=st.booleans(), planned=st.sampled_from(["busy", "break", "unplanned"]))
def test_what_decided_names_the_element(label: str, state: str, mode: str, order: bool, planned: Planned) -> None:
    rules = definition(label)
    decision = rules.rule(state, mode, order, planned)
    assert decision.element == rules.element(state, mode, order, planned)
    if isinstance(decision.by, When):
        first = next(rule for rule in rules.time_model if rule.when.holds(state, mode, order, planned))
        assert (decision.element, decision.by) == (first.element, first.when)
    else:
        assert not rules.plans
        assert decision.by == planned != "busy"


def test_a_micro_stop_goes_before_the_time_model_and_the_plan_where_the_definition_knows_it() -> None:
    nakajima = definition("nakajima@1")
    assert nakajima.rule("held", "production", True, "break", None, micro=True) == (
        "MINOR",
        nakajima.options.micro_stop,
    )
    iso = definition("iso22400@2")
    assert iso.rule("held", "production", True, micro=True) == iso.rule("held", "production", True)


def test_an_option_younger_than_a_seal_does_not_break_it() -> None:
    known = shipped()["iso22400@1"]
    assert known.fingerprint == "4fe03b5be6de6018", "as it was before machine_reason"
    options = known.options.model_copy(update={"machine_reason": "whole_stop"})
    assert known.model_copy(update={"options": options}).fingerprint != known.fingerprint
