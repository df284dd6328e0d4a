"""Every profile: valid as it is offered, makes requests of each record that it takes, and finds again what it made."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.envelope import Derived
from schemas.records import Alert, Downtime, Oee
from sinks.base import Delivery
from sinks.kit.answer import dig
from sinks.kit.template import fill_url
from sinks.rest.config import RequestMapping, RestConfig
from sinks.rest.lookup import _carries, _key
from sinks.rest.objects import fits_when, request, template_values
from sinks.rest.profiles import load, names, shown
from sinks.rest.target import Refused
from sinks.rest.trial import tell
from tests.harness.records import EXAMPLES
from topology.namespace.classes import MessageClass

STARTS = {profile.name: profile.start for profile in shown()}
CONFIGS = {name: RestConfig.model_validate(start) for name, start in STARTS.items()}
REMOTE_ID = "1042-7"
"""An id as a number, or as two of them."""


def example(kind: type[Derived]) -> Derived:
    return next(record for record in EXAMPLES if type(record) is kind)


FITTING: dict[type[Derived], dict[str, Any]] = {
    Downtime: {"category": "breakdown", "kind": "stop", "status": "final"},
    Oee: {"window": "order", "status": "final", "order": "4711", "product": "cola"},
    Alert: {"kind": "quality", "severity": "high", "value": 1.5, "limit": 1.0},
}


def fitting(mapping: RequestMapping, **more: Any) -> Derived:
    """A record that has an object."""
    return msgspec.structs.replace(example(mapping.kind), **{**FITTING[mapping.kind], **more})


REQUESTS = [(name, mapping) for name, config in CONFIGS.items() for mapping in config.requests]
IDS = [f"{name}-{mapping.known_as}" for name, mapping in REQUESTS]
each_request = pytest.mark.parametrize(("name", "mapping"), REQUESTS, ids=IDS)


def values(name: str, record: Derived) -> dict[str, Any]:
    return template_values(record, CONFIGS[name])


def rendered(name: str, mapping: RequestMapping, record: Derived) -> Iterator[tuple[str, str, Any]]:
    """Step, url and body of all that may go out for a record. Raises `Refused`."""
    known = values(name, record)
    for step, call in (("create", mapping.create), ("update", mapping.update), ("cancel", mapping.cancel)):
        if call is not None:
            remote_id = REMOTE_ID if mapping.replace else "1042"
            yield step, *request(call, known | ({} if step == "create" else {"remote_id": remote_id}))
    if mapping.lookup is not None:
        yield "lookup", fill_url(mapping.lookup.url, {**known, "page": 0, "offset": 0}), None


def test_there_are_profiles_of_every_kind_and_each_says_what_it_rests_on() -> None:
    assert len(names()) >= 20
    assert {load(name).kind for name in names()} == {"mes", "cmms", "qms", "notification"}
    for name in names():
        profile = load(name)
        assert profile.tried or profile.open, f"{name}: what nobody tried says so"
        assert "secret" not in profile.config.get("auth", {}), name


@each_request
def test_it_makes_requests_that_json_and_http_can_say(name: str, mapping: RequestMapping) -> None:
    record = fitting(mapping)
    assert fits_when(mapping, record, values(name, record))
    steps = list(rendered(name, mapping, record))
    assert steps[0][0] == "create"
    for _, url, body in steps:
        assert url.startswith("/")
        assert "\n" not in url
        json.dumps(body, allow_nan=False)


@each_request
def test_a_trial_shows_every_request(name: str, mapping: RequestMapping) -> None:
    record = fitting(mapping)
    delivery = Delivery("t", 0, 0, record.path, MessageClass(record.message_class), record, 0)
    told = [each for each in tell(CONFIGS[name], delivery) if each["request"] == mapping.known_as]
    steps = {"create": mapping.create, "update": mapping.update, "cancel": mapping.cancel, "lookup": mapping.lookup}
    assert [each["step"] for each in told] == [step for step, call in steps.items() if call is not None]


@each_request
def test_what_it_made_is_found_again_whatever_was_corrected_meanwhile(name: str, mapping: RequestMapping) -> None:
    if mapping.lookup is None:
        assert mapping.create.repeatable or any("twice" in each or "second" in each for each in load(name).open)
        return
    first = fitting(mapping)
    changed: dict[str, Any] = {"revision": 1, "id": first.id.replace(":0", ":1"), "ended_at": (first.ended_at or 0) + 1}
    if isinstance(first, Downtime):
        changed |= {"reason": "another", "category": "micro"}
    later = msgspec.structs.replace(first, **changed)
    assert first.natural_id == later.natural_id
    looked = [url for step, url, _ in (*rendered(name, mapping, first), *rendered(name, mapping, later)) if step == "lookup"]  # fmt: skip
    assert looked[0] == looked[1]
    key = _key(mapping.lookup, values(name, later))
    assert mapping.key_field is not None
    _, body = request(mapping.create, values(name, first))
    parts = (body, body.get("object")) if isinstance(body, dict) else ()
    sent = next(part for part in parts if isinstance(part, dict) and dig(part, mapping.key_field))
    assert _carries(sent, mapping.key_field, key, mapping.lookup.key_within)
    other = template_values(fitting(mapping, id=first.id.replace("20261118", "20261119")), CONFIGS[name])
    assert not _carries(sent, mapping.key_field, _key(mapping.lookup, other), mapping.lookup.key_within)


TEXT = st.text(max_size=30) | st.sampled_from(["", "a/b", "'; --", '"', "ä€", "\ud800", "<b>", "{x}", "%2e%2e", ".."])


@each_request
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_stands_in_a_record_it_is_sent_or_refused(name: str, mapping: RequestMapping, data: Any) -> None:
    record = fitting(mapping)
    texts = {field: TEXT for field in ("reason", "order", "product", "message", "subject") if hasattr(record, field)}
    more = data.draw(st.fixed_dictionaries({}, optional={**texts, "ended_at": st.none() | st.integers(0, 2**62)}))
    record = msgspec.structs.replace(record, **more)
    with suppress(Refused):
        if fits_when(mapping, record, values(name, record)):
            for _, url, body in rendered(name, mapping, record):
                assert url.startswith("/")
                json.dumps(body, allow_nan=False)


def made(name: str, step: str = "create", number: int = 0) -> Any:
    """The body for a fitting record."""
    mapping = CONFIGS[name].requests[number]
    return next(body for found, _, body in rendered(name, mapping, fitting(mapping)) if found == step)


def test_sap_gets_what_its_types_hold() -> None:
    body = made("sap-s4-confirmation")
    longest = {"OrderID": 12, "OrderOperation": 4, "Sequence": 6, "ConfirmationUnit": 3}
    assert all(isinstance(body[field], str) and len(body[field]) <= length for field, length in longest.items())
    for field in ("ConfirmationYieldQuantity", "ConfirmationScrapQuantity", "ConfirmationReworkQuantity"):
        assert re.fullmatch(r"\d{1,10}(\.\d{1,3})?", body[field]), "Edm.Decimal is a text"
    assert re.fullmatch(r"/Date\(\d+\)/", body["PostingDate"])
    assert int(body["PostingDate"][6:-2]) % 86_400_000 == 0
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", body["ExternalSystemConfirmation"])
    cancel = next(url for step, url, _ in rendered("sap-s4-confirmation", CONFIGS["sap-s4-confirmation"].requests[0], fitting(CONFIGS["sap-s4-confirmation"].requests[0])) if step == "cancel")  # fmt: skip
    assert cancel == "/CancelProdnOrdConf?ConfirmationGroup='1042'&ConfirmationCount='7'"
    assert len(made("sap-pm")["NotificationText"]) <= 40


STOP_REASONS = {
    "Excessive machine set up time",
    "Unplanned machine maintenance",
    "On-machine press checks",
    "Machine operator errors",
    "Machine malfunction",
    "Electricity down",
    "Other",
}


def test_erpnext_gets_what_its_doctypes_require() -> None:
    entry = made("erpnext-mes")
    assert {"workstation", "operator", "from_time", "to_time", "stop_reason"} <= set(entry)
    assert entry["stop_reason"] in STOP_REASONS
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", entry["from_time"])
    assert {"asset", "failure_date"} <= set(made("erpnext-cmms"))
    nonconformance = made("erpnext-qms")
    assert {"subject", "procedure", "status"} <= set(nonconformance)
    assert made("erpnext-qms", "cancel")["status"] in ("Open", "Resolved", "Cancelled")
    assert all(len(part) <= 140 for part in (nonconformance["subject"], entry["uns_id"])), "a Data field"


def test_odoo_gets_a_table_with_one_row() -> None:
    for name, dug in (
        ("odoo-cmms", False),
        ("odoo-mes", False),
        ("odoo-cmms-session", True),
        ("odoo-mes-session", True),
    ):
        body = made(name)
        fields, data = body["params"]["args"] if dug else (body["fields"], body["data"])
        assert [len(row) for row in data] == [len(fields)]
        assert re.fullmatch(r"uns\.[a-z_]+[0-9a-f]{32}", data[0][fields.index("id")]), "no space, and one dot"


def test_the_others_get_the_members_that_they_name() -> None:
    assert made("atlas-cmms")["priority"] in ("NONE", "LOW", "MEDIUM", "HIGH")
    assert made("maintainx-cmms")["priority"] in ("NONE", "LOW", "MEDIUM", "HIGH")
    assert made("upkeep-cmms")["priority"] in range(4)
    assert set(made("slack")) == {"channel", "text"}
    assert set(made("slack", "update")) == {"channel", "ts", "text"}
    [card] = made("teams")["attachments"]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert card["content"]["type"] == "AdaptiveCard"
    assert made("fiix-cmms")["_maCn"] == "AddRequest"
    assert {"OrganizationId", "AssetNumber", "WorkOrderNumber"} <= set(made("oracle-maintenance"))
    assert "siteid" in made("maximo-cmms")
    assert made("webhook")["data"]["valid"] is True
    assert set(made("tulip-table", "update")) == set(made("tulip-table")) - {"id"}


USES = {"Consumable", "Consumed", "Produced", "By-product Produced", "Co-product Produced", "Yield Produced"}
STATES = {"Waiting", "Ready", "Running", "Completed", "Aborted", "Held", "Paused", "Suspended", "Closed", "Other"}


def test_b2mml_has_the_required_members_and_words_of_its_schema() -> None:
    performance = made("b2mml-json")["OperationsPerformance"]
    [response] = performance["OperationsResponse"]
    [segment] = response["SegmentResponse"]
    assert performance["ID"]
    assert response["ID"]
    assert segment["ID"]
    assert {use["MaterialUse"]["$"] for use in segment["MaterialActual"]} <= USES
    assert [quantity["QuantityString"] for use in segment["MaterialActual"] for quantity in use["Quantity"]] == [
        "9",
        "1",
    ]
    assert {performance["PerformanceState"]["$"], response["ResponseState"]["$"]} <= STATES
    job = made("b2mml-json", number=1)["JobResponse"]
    assert job["JobState"]["$"] in STATES
    assert made("b2mml-json", "cancel", 1) == {"JobResponse": {"ID": job["ID"], "JobState": {"$": "Aborted"}}}
