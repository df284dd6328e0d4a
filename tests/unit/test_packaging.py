"""Our packages have plain names: nobody else in the environment may own one of them."""

from importlib.metadata import entry_points, packages_distributions

import pytest

PACKAGES = ("schemas", "topology", "connectors", "processors", "sinks", "uns")


@pytest.mark.parametrize("name", PACKAGES)
def test_no_other_distribution_owns_our_name(name: str) -> None:
    others = set(packages_distributions().get(name, [])) - {"uns-backbone"}
    assert not others, f"{others} installs a package {name!r}, too: use an environment of our own"


def test_every_entry_point_loads() -> None:
    found = [entry for group in ("uns.connectors", "uns.sinks", "uns.screens") for entry in entry_points(group=group)]
    assert {entry.name for entry in found} >= {"opcua", "mqtt", "historian", "rest", "line"}
    for entry in found:
        assert entry.load().summary
