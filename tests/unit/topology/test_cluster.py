"""The plan: what a plant needs, the steps to it, and none once they are taken."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.records import DERIVED_TYPES
from tests.harness.places import model
from topology.cluster import Acl, Cluster, Kind, Step, desired, diff, snapshot_topics
from topology.model.plant import Plant
from topology.namespace.classes import DERIVED, MessageClass
from topology.namespace.path import Level
from topology.namespace.topics import parse_topic

EVERY_CLASS = ["raw", *DERIVED]


def plant(**parts: Any) -> Plant:
    return Plant.model_validate(model() | parts)


def granted(**access: Any) -> frozenset[Acl]:
    return desired(plant(access=[{"principal": "User:x", **access}])).acls


def after(actual: Cluster, steps: list[Step]) -> Cluster:
    """What a cluster is once the steps are taken: the same, said in another way than `diff` says it."""
    topics, subjects, levels, acls = dict(actual.topics), dict(actual.subjects), dict(actual.levels), set(actual.acls)
    for step in steps:
        if step.kind is Kind.CREATE_TOPIC and step.topic:
            topics[step.name] = step.topic
        elif step.kind is Kind.ALTER_TOPIC:
            has = topics[step.name]
            topics[step.name] = replace(has, config=tuple({**dict(has.config), **dict(step.changes)}.items()))
        if step.level:
            levels[step.name] = step.level
        if step.schema:
            subjects[step.name] = step.schema
        if step.kind is Kind.CREATE_ACL and step.acl:
            acls.add(step.acl)
    return Cluster(topics, subjects, levels, frozenset(acls))


WANTED = desired(plant(access=[{"principal": "User:x", "filter": "acme/+/packaging/#", "classes": ["raw", "oee"]}]))


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    """A cluster that has some of what is wanted, some of it otherwise, and what is not wanted."""
    topics = {}
    for name, one in WANTED.topics.items():
        if draw(st.booleans()):
            config = dict(one.config) | draw(
                st.dictionaries(st.sampled_from(["retention.ms", "cleanup.policy"]), st.just("7"))
            )
            topics[name] = replace(one, config=(*config.items(), ("compression.type", "zstd")))
    subjects = {
        subject: draw(st.sampled_from([text, '"int"']))
        for subject, text in WANTED.subjects.items()
        if draw(st.booleans())
    }
    levels = {
        subject: draw(st.sampled_from(["BACKWARD", "BACKWARD_TRANSITIVE", "FULL_TRANSITIVE"])) for subject in subjects
    }
    acls = {acl for acl in WANTED.acls if draw(st.booleans())} | {Acl("User:y", "uns.acme.old.raw", False, "read")}
    return Cluster(topics, subjects, levels, frozenset(acls))  # fmt: skip


@given(clusters())
def test_once_the_steps_are_taken_none_is_left(actual: Cluster) -> None:
    steps = diff(WANTED, actual)
    left = diff(WANTED, after(actual, steps))
    assert not [step for step in left if step.acts]
    assert len({(step.kind, step.name, step.acl) for step in steps}) == len(steps)


def test_a_cluster_that_matches_needs_nothing() -> None:
    assert diff(WANTED, WANTED) == []


def test_an_empty_cluster_gets_everything() -> None:
    steps = diff(WANTED, Cluster())
    assert all(step.acts for step in steps)
    assert {step.name for step in steps if step.kind is Kind.CREATE_TOPIC} == set(WANTED.topics)
    assert {step.name for step in steps if step.kind is Kind.REGISTER_SCHEMA} == set(WANTED.subjects)
    assert all(step.level == "BACKWARD_TRANSITIVE" for step in steps if step.schema)


def test_every_area_has_the_classes_that_something_writes() -> None:
    written = {record.message_class for record in DERIVED_TYPES} | {"raw", "quarantine", "changelog"}
    homes: dict[str, set[str]] = {}
    for name in WANTED.topics:
        place, message_class = parse_topic(name)
        homes.setdefault(str(place), set()).add(message_class)
    areas = {str(area) for area in plant().areas()}
    assert {place: classes for place, classes in homes.items() if place in areas} == dict.fromkeys(areas, written)
    above = {str(place) for place in plant().places() if place.level < Level.AREA}
    sites = {"kpi", "pilot", "quarantine"}
    assert {place: classes for place, classes in homes.items() if place not in areas} == {
        place: sites | ({"retry", "disposition", "lease"} if place == "acme" else set()) for place in above
    }


def test_all_classes_of_an_area_have_as_many_partitions() -> None:
    for area, partitions in plant().areas().items():
        found = {one.partitions for name, one in WANTED.topics.items() if parse_topic(name)[0] == area}
        assert found == {partitions}


def test_raw_is_never_compacted_and_state_always_is() -> None:
    for name, one in WANTED.topics.items():
        message_class = parse_topic(name)[1]
        compacted = message_class in (MessageClass.CURRENT, MessageClass.CHANGELOG)
        both = message_class in (MessageClass.DISPOSITION, MessageClass.LEASE)
        policy = "compact" if compacted else "compact,delete" if both else "delete"
        assert dict(one.config)["cleanup.policy"] == policy


def test_what_was_decided_of_a_quarantined_record_outlives_it() -> None:
    for hours, kept in ((24.0, (24 + 31 * 24) * 3_600_000), (None, None)):
        topics = desired(plant(retention={"quarantine_h": hours})).topics
        config = dict(topics["uns-internal.acme.disposition"].config)
        assert config.get("retention.ms") == (None if kept is None else str(kept))
        assert config["cleanup.policy"] == ("compact" if kept is None else "compact,delete")
        assert dict(topics["uns-internal.acme.retry"].config)["retention.ms"] == (
            "-1" if hours is None else str(24 * 3_600_000)
        )


def test_quarantine_takes_the_largest_raw_record_and_its_headers() -> None:
    config = {parse_topic(name)[1]: dict(one.config) for name, one in WANTED.topics.items()}
    sizes = {message_class: int(one["max.message.bytes"]) for message_class, one in config.items()}
    assert sizes[MessageClass.QUARANTINE] > sizes[MessageClass.RAW]


def test_retention_is_the_plants() -> None:
    kept = desired(plant(retention={"raw_h": 1, "derived_h": None})).topics
    assert dict(kept["uns.acme.dallas.packaging.raw"].config)["retention.ms"] == "3600000"
    assert dict(kept["uns.acme.dallas.packaging.oee"].config)["retention.ms"] == "-1"


def test_another_number_of_partitions_is_refused() -> None:
    name = "uns.acme.dallas.packaging.raw"
    actual = replace(WANTED, topics={**WANTED.topics, name: replace(WANTED.topics[name], partitions=5)})
    (step,) = diff(WANTED, actual)
    assert (step.kind, step.name, step.acts) == (Kind.REFUSED, name, False)
    assert "has 5 partitions, the model says 2" in step.detail


def test_a_changed_setting_is_said_and_set() -> None:
    name = "uns.acme.dallas.packaging.raw"
    config = dict(WANTED.topics[name].config) | {"cleanup.policy": "compact"}
    actual = replace(WANTED, topics={**WANTED.topics, name: replace(WANTED.topics[name], config=tuple(config.items()))})
    (step,) = diff(WANTED, actual)
    assert str(step) == f"alter topic {name}: cleanup.policy compact → delete"


def test_a_schema_in_the_registrys_own_spelling_is_the_same() -> None:
    spelled = {subject: json.dumps(json.loads(text), indent=3) for subject, text in WANTED.subjects.items()}
    assert diff(WANTED, replace(WANTED, subjects=spelled)) == []


def test_a_stricter_level_is_left_and_a_laxer_one_raised() -> None:
    levels = dict(WANTED.levels) | {"uns.Oee": "FULL_TRANSITIVE", "uns.State": "NONE"}
    (step,) = diff(WANTED, replace(WANTED, levels=levels))
    assert (step.kind, step.name, step.level) == (Kind.SET_COMPATIBILITY, "uns.State", "BACKWARD_TRANSITIVE")


def test_what_the_model_does_not_name_is_said_and_left_alone() -> None:
    gone = next(iter(WANTED.topics.values()))
    topics = {**WANTED.topics, "uns.acme.old.raw": gone, "uns.acme2.x.raw": gone, "theirs": gone}
    acls = WANTED.acls | {Acl("User:y", "uns.acme.dallas.", True, "read"), Acl("User:y", "theirs", False, "read")}
    steps = diff(WANTED, replace(WANTED, topics=topics, acls=acls))
    assert [(step.kind, step.name) for step in steps] == [(Kind.LEFT_OVER, "uns.acme.dallas."), (Kind.LEFT_OVER, "uns.acme.old.raw")]  # fmt: skip


def test_a_model_without_access_leaves_acls_to_others() -> None:
    wanted = desired(plant())
    assert diff(wanted, replace(wanted, acls=WANTED.acls)) == []


@pytest.mark.parametrize("text", ["acme/#", "acme/dallas/#", "acme/dallas/packaging/#"])
def test_a_whole_place_is_one_prefix_with_its_closing_dot(text: str) -> None:
    (acl,) = granted(filter=text, classes=EVERY_CLASS)
    assert acl == Acl("User:x", "uns." + text.removesuffix("#").replace("/", "."), True, "read")


def test_a_prefix_never_reaches_a_neighbour_or_what_is_internal() -> None:
    (acl,) = granted(filter="acme/dallas/#", classes=EVERY_CLASS)
    assert not "uns.acme.dallas2.packaging.raw".startswith(acl.name)
    reached = {parse_topic(name) for name in WANTED.topics if name.startswith(acl.name)}
    assert {str(place) for place, _ in reached} == {"acme/dallas", "acme/dallas/packaging", "acme/dallas/stamping"}
    assert not any(message_class.internal for _, message_class in reached)


def test_some_classes_are_literal_topics_that_exist() -> None:
    acls = granted(filter="acme/+/packaging/#", classes=["raw", "oee"], operation="write")
    assert acls == {
        Acl("User:x", f"uns.acme.{site}.packaging.{name}", False, "write")
        for site in ("dallas", "leipzig")
        for name in ("raw", "oee")
    }


def test_a_class_that_nothing_writes_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValidationError, match=r"'raw', 'state'.*'bottleneck'.*'pilot'.*'quarantine'"):
        granted(filter="acme/#", classes=["schedule"])


def test_internal_classes_are_granted_only_when_named_and_one_by_one() -> None:
    acls = granted(filter="acme/leipzig/#", classes=[*EVERY_CLASS, "quarantine"])
    assert {(acl.name, acl.prefixed) for acl in acls} == {
        ("uns.acme.leipzig.", True),
        ("uns-internal.acme.leipzig.quarantine", False),
        ("uns-internal.acme.leipzig.packaging.quarantine", False),
    }


def test_a_machine_that_left_the_model_is_removed_from_where_its_snapshot_lies() -> None:
    there = "uns.acme.dallas.packaging.current"
    named = "acme/dallas/packaging/line-1/filler"
    actual = replace(WANTED, snapshots={named: (there, 1), "acme/dallas/packaging/line-1/capper": (there, 0)})
    (step,) = diff(WANTED, actual)
    assert (step.kind, step.name, step.place) == (Kind.REMOVE_PATH, "acme/dallas/packaging/line-1/capper", (there, 0))
    assert step.acts


def test_snapshots_are_looked_for_in_areas_that_left_the_model_and_not_in_other_enterprises() -> None:
    there = ["uns.acme.dallas.old.current", "uns.acme.dallas.packaging.current", "uns.acme2.dallas.packaging.current"]
    assert snapshot_topics(WANTED, [*there, "uns.acme.dallas.packaging.oee"]) == there[:2]
