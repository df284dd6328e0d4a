"""Options, and where a metric belongs by them."""

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.kit.payloads import BadPayload
from connectors.sparkplug.config import Source, SparkplugConfig
from connectors.sparkplug.places import Place, Places
from tests.unit.connectors.sparkplug.edge import config
from topology.namespace.path import Path
from topology.sparkplug.topics import edge_topic


def place(metric: str, device: str | None = "Filler 1", /, *, node: str = "Line 1", **options: Any) -> Any:
    """Where a metric of `Dallas/Line 1` belongs."""
    edge = "Dallas/+/+" if device else "Dallas/+"
    source = Source.model_validate({"edge": edge, "path": "acme/dallas", **options})
    return Places([source]).of("Dallas", node, device, metric)


def test_names_and_levels_of_a_metric_fill_the_templates() -> None:
    where = place(
        "Outputs/Pump/Speed", path="acme/{group}/{node}/{device}", levels="spelled", tag="{device}.{0}.{1:} {metric}"
    )
    assert where == Place(Path.parse("acme/dallas/line-1/filler-1"), "Filler 1.Outputs.Pump/Speed Outputs/Pump/Speed")


def test_a_tag_keeps_the_name_as_it_is() -> None:
    assert place("Füller/Gut – Stück").tag == "Füller/Gut – Stück"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": "acme/{node}"}, "did you mean"),
        ({"path": "acme/{metric}"}, "slash"),
        ({"path": "acme/{3}"}, "no level 3"),
        ({"tag": "{1}"}, "no tag"),
    ],
)
def test_what_is_no_path_is_told(options: dict[str, Any], words: str) -> None:
    found = place("Pump//x", **options)
    assert isinstance(found, BadPayload)
    assert found.reason == "no_path"
    assert words in str(found)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("#", True),
        ("Outputs/#", True),
        ("Outputs/+/Speed", True),
        ("Outputs/Pump/Speed", True),
        ("Outputs/Pump/Speed/#", True),
        ("+/+", False),
        ("Inputs/#", False),
        ("Outputs/Pump", False),
        ("Outputs/Pump/Speed/+", False),
    ],
)
def test_metrics_are_chosen_by_the_levels_of_their_names(pattern: str, matches: bool) -> None:
    assert (place("Outputs/Pump/Speed", metric=pattern) is not None) == matches


def test_the_first_source_that_matches_counts() -> None:
    places = Places(
        config(
            {"edge": "g/+/d", "metric": "a/#", "path": "acme/one"},
            {"edge": "g/+/+", "fields": {"State": "b/State"}, "path": "acme/two"},
            {"edge": "g/n/+", "path": "acme/three"},
            {"edge": "g/n", "path": "acme/four"},
        ).sources
    )
    assert places.of("g", "n", "d", "a/x") == Place(Path.parse("acme/one"), "a/x")
    assert places.of("g", "n", "d", "b/State") == Place(Path.parse("acme/two"), "State")
    assert places.of("g", "n", "d", "b/Speed") == Place(Path.parse("acme/three"), "b/Speed")
    assert places.of("g", "n", None, "a/x") == Place(Path.parse("acme/four"), "a/x")
    assert places.of("g", "other", "e", "a/x") is None


@pytest.mark.parametrize(
    ("edges", "groups"),
    [
        (["g/n", "g/n/d"], {("g", "n")}),
        (["g/n", "g/+/d"], {("g", "+")}),
        (["g/n", "h/n"], {("g", "n"), ("h", "n")}),
        (["g/+", "+/n"], {("+", "+")}),
        (["+/+", "g/n"], {("+", "+")}),
    ],
)
def test_no_message_comes_by_two_filters(edges: list[str], groups: set[tuple[str, str]]) -> None:
    filters = Places(config(*({"edge": edge, "path": "acme"} for edge in edges)).sources).topic_filters()
    assert len(filters) == 6 * len(groups)
    for group, node in groups:
        assert f"spBv1.0/{group}/NBIRTH/{node}" in filters
        assert f"spBv1.0/{group}/DDATA/{node}/+" in filters
    assert not any("CMD" in text or "STATE" in text or text.endswith("#") for text in filters)


@pytest.mark.parametrize(
    "topic",
    ["spBv1.0/g/NBIRTH/n/d", "spBv1.0/g/DDATA/n", "spBv1.0/g/NCMD/n", "spBv1.0/STATE/h", "spAv1.0/g/NBIRTH/n", "spBv1.0//NBIRTH/n", ""],
)  # fmt: skip
def test_no_other_topic_is_an_edge_nodes(topic: str) -> None:
    assert edge_topic(topic) is None


@pytest.mark.parametrize(
    "source",
    [
        {"edge": "g", "path": "acme"},
        {"edge": "g/n/d/x", "path": "acme"},
        {"edge": "g/#", "path": "acme"},
        {"edge": "g/n+", "path": "acme"},
        {"edge": "g/n", "path": "acme/{device}"},
        {"edge": "g/n", "path": "acme/{machine}"},
        {"edge": "g/n", "path": "Acme"},
        {"edge": "g/n", "path": "acme", "metric": "#/a"},
        {"edge": "g/n", "path": "acme", "tag": ""},
    ],
)
def test_a_source_that_cannot_be_is_refused(source: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Source.model_validate(source)


@pytest.mark.parametrize(
    "options",
    [
        {"host_id": "a/b"},
        {"host_id": "+"},
        {"host_id": ""},
        {"brokers": []},
        {"brokers": [{"url": "mqtt://a"}, {"url": "mqtt://a"}]},
        {"brokers": [{"url": "mqtt://user:secret@a"}]},
        {"brokers": [{"url": "http://a"}]},
        {"reorder_timeout_s": -1},
        {"rebirth_interval_s": 0},
    ],
)
def test_a_configuration_that_cannot_be_is_refused(options: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "brokers": [{"url": "mqtt://a"}],
        "host_id": "h",
        "sources": [{"edge": "g/n", "path": "acme"}],
    }
    SparkplugConfig.model_validate(good)
    with pytest.raises(ValidationError) as caught:
        SparkplugConfig.model_validate(good | options)
    assert "secret" not in str(caught.value).replace("password_file", "")


def test_paths_without_placeholders_are_known_to_lint() -> None:
    sources = ({"edge": "g/n", "path": "acme/dallas"}, {"edge": "g/+/+", "path": "acme/{device}"})
    assert config(*sources).literal_paths() == (Path.parse("acme/dallas"),)
