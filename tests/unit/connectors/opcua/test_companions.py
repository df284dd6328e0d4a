"""Variables of companion specifications, by the browse names that their node sets give them."""

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from connectors.opcua.address import lasting, resolve
from connectors.opcua.companions import MACHINERY, PACKML, PLASTICS, roles_of
from topology.model.plant import Plant

SPACES = ["http://opcfoundation.org/UA/", PACKML, MACHINERY, PLASTICS, "urn:maker"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["0:CurrentState", "2:MachineryItemState", "4:Press"], {"T": "state"}),
        (["0:CurrentState", "2:MachineryOperationMode"], {"T": "mode"}),
        (["0:CurrentState", "1:ExecuteState"], {"T": "state"}),
        (["0:CurrentState", "4:ExecuteState"], {}),
        (["1:UnitModeCurrent", "1:Status"], {"T": "mode"}),
        (["4:UnitModeCurrent", "1:Status"], {}),
        (["1:ProdDefectiveCount", "1:Admin"], {"T.0.AccCount": "scrap_count"}),
        (["1:StopReason"], {"T.ID": "reason"}),
        (["3:ProductionStatus"], {"T": "state"}),
        (["3:JobGoodPartsCounter"], {"T": "good_count"}),
        (["9:JobGoodPartsCounter"], {}),
        ([], {}),
    ],
    ids=lambda value: ",".join(value) or "none",
)
def test_a_role_is_one_of_the_plant_model(names: list[str], expected: dict[str, str]) -> None:
    roles = roles_of("T", [ua.QualifiedName(name[2:], int(name[0])) for name in names], SPACES)
    assert {tag: role["role"] for tag, role in roles.items()} == expected
    type_ = {"ideal_cycle_s": 1, "tags": {tag: dict(role) for tag, role in roles.items()}}
    field = Plant.model_fields["types"]
    assert field.annotation is not None

    (made,) = TypeAdapter(field.annotation).validate_python({"t": type_}).values()
    assert len(made.tags) == len(expected)


@given(
    st.text(st.characters(categories=None, exclude_categories=["Cs"]), min_size=1),
    st.one_of(
        st.integers(0, 2**32 - 1),
        st.text(st.characters(categories=None, exclude_categories=["Cs"]), min_size=1),
        st.uuids(),
        st.binary(min_size=1),
    ),
)
def test_a_lasting_address_finds_its_node_again(uri: str, identifier: object) -> None:
    for index in (0, 1, 7):
        node = ua.NodeId(identifier, index)
        spaces = ["http://opcfoundation.org/UA/", f"urn:{uri}"]
        assert resolve(lasting(node, spaces), spaces) == node
