"""Documents that are booked and reversed, upserts by a key, and a QMS: exact through lost answers and corrections."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.envelope import Derived
from schemas.records import Alert, Oee
from sinks.base import Delivery, LeftBehind, Rejected, Unwritten
from sinks.kit.language import uuid
from tests.contract.rest_records import RecordServer
from tests.contract.rest_writing import delivered
from tests.harness.records import EXAMPLES, PATH, T
from topology.namespace.classes import MessageClass
from uns.testing import downtime

SAP = {
    "profile": "sap-s4-confirmation",
    "auth": {"username": "UNS", "secret": "hunter2"},
    "maps": {"operations": {PATH: "0010"}, "sap": {"unit": "PC"}},
    "settle_s": 0,
}
UPSERT_BODY = {"key": "{natural_id}", "reason": "{reason}"}
UPSERT = {
    "settle_s": 0,
    "requests": [
        {
            "class": "downtime",
            "when": {"category": "micro"},
            "create": {
                "url": "/load",
                "body": UPSERT_BODY,
                "success": "{{ body.ids is sequence }}",
                "id": "{{ body.ids[0] }}",
                "repeatable": True,
            },
            "update": {"method": "POST", "url": "/rows/{remote_id}/set", "body": UPSERT_BODY},
            "cancel": {"method": "POST", "url": "/rows/{remote_id}/drop", "gone": True},
        }
    ],
}


@pytest.fixture
def server() -> Iterator[RecordServer]:
    with RecordServer().serving() as running:
        yield running


def confirmation(number: int, revision: int = 0, good: int = 10, **more: Any) -> Oee:
    """OEE of an order, revised by what was counted late."""
    example = next(record for record in EXAMPLES if isinstance(record, Oee))
    its = {"window": "order", "status": "final", "order": f"47{number:02}", "good": good, "revision": revision}
    record = msgspec.structs.replace(example, id=f"{PATH}#oee-order@{number}~iso22400@1:{revision}", **(its | more))
    assert isinstance(record, Oee)
    return record


def delivery(record: Derived, offset: int) -> Delivery:
    return Delivery(
        "uns.acme.dallas.packaging.oee", 0, offset, record.path, MessageClass(record.message_class), record, T
    )


def write(server: RecordServer, config: dict[str, Any], folder: Path, records: list[Any]) -> list[Unwritten]:
    whole = {"base_url": server.url, "tries_s": 3600, **config}
    return asyncio.run(delivered(whole, folder, [delivery(each, n) for n, each in enumerate(records)]))


@pytest.mark.parametrize("lost_share", [0.0, 0.3])
def test_a_correction_reverses_what_was_booked_and_books_anew(
    server: RecordServer, lost_share: float, tmp_path: Path
) -> None:
    server.lost_share = lost_share
    first = [confirmation(n, 0, 10 + n) for n in range(8)]
    corrected = [confirmation(n, 1, 100 + n) for n in range(0, 8, 2)]
    assert write(server, SAP, tmp_path, [*first, *corrected]) == []
    expected = {uuid(record.natural_id): str(record.good) for record in (*first, *corrected)}
    assert server.standing() == expected
    assert sum(one["IsReversal"] for one in server.documents) >= len(corrected)
    if not lost_share:
        assert len(server.documents) == len(first) + 2 * len(corrected), "no more is booked than must be"
        assert server.fetched == 1


def test_what_is_taken_back_is_reversed_and_may_be_booked_again(server: RecordServer, tmp_path: Path) -> None:
    server.lost_share = 0.3
    record = confirmation(1)
    withdrawn = confirmation(1, 1, ended_at=record.started_at)
    assert write(server, SAP, tmp_path, [record, withdrawn]) == []
    assert server.standing() == {}
    assert write(server, SAP, tmp_path, [confirmation(1, 2, 77)]) == []
    assert list(server.standing().values()) == ["77"]


def test_a_restart_with_an_old_ledger_books_nothing_twice(server: RecordServer, tmp_path: Path) -> None:
    assert write(server, SAP, tmp_path, [confirmation(1), confirmation(1, 1, 20)]) == []
    assert write(server, SAP, tmp_path, [confirmation(1), confirmation(1, 1, 20)]) == []
    assert len(server.documents) == 3


def stop(number: int, revision: int = 0, reason: str = "jam", category: str = "micro") -> Derived:
    return msgspec.structs.replace(downtime(number, revision, reason), category=category)


def test_an_upsert_is_sent_again_where_its_answer_was_lost(server: RecordServer, tmp_path: Path) -> None:
    server.lost_share = 0.4
    records = [stop(n) for n in range(10)]
    records += [stop(n, 1, "corrected") for n in range(0, 10, 2)]
    records += [stop(n, 2, category="breakdown") for n in range(0, 10, 5)]
    assert write(server, UPSERT, tmp_path, records) == []
    reasons = {stop(n).natural_id: "jam" if n % 2 else "corrected" for n in range(10) if n % 5}
    assert {key: row["reason"] for key, row in server.rows.items()} == reasons


def test_one_whose_answer_was_lost_is_taken_back_all_the_same(server: RecordServer, tmp_path: Path) -> None:
    server.lost_share = 1.0
    with pytest.raises(AssertionError, match="still waiting"):
        asyncio.run(delivered({"base_url": server.url, **UPSERT}, tmp_path, [delivery(stop(1), 1)], deadline_s=0.2))
    assert len(server.rows) == 1
    server.lost_share = 0.0
    assert write(server, UPSERT, tmp_path, [stop(1, 1, category="breakdown")]) == []
    assert server.rows == {}


def test_an_error_inside_an_imports_answer_is_quarantined_with_its_words(server: RecordServer, tmp_path: Path) -> None:
    [rejected] = write(server, UPSERT, tmp_path, [stop(1, reason="bad"), stop(2)])
    assert isinstance(rejected, Rejected)
    assert "no such reason" in rejected.message
    assert [row["key"] for row in server.rows.values()] == [stop(2).natural_id]


def test_a_key_within_a_text_is_found_by_a_search_page_by_page(server: RecordServer, tmp_path: Path) -> None:
    note = {
        "class": "downtime",
        "create": {
            "url": "/notes?v=1",
            "headers": {"x-kind": "note"},
            "body": {"text": "{reason} [{natural_id}]", "path": "{path}"},
        },
        "lookup": {
            "method": "POST",
            "url": "/notes/search",
            "body": {"words": "[{natural_id}]", "page": "{{ page }}"},
            "page_from": 0,
            "items_field": "content",
            "key": "[{natural_id}]",
            "key_field": "text",
            "key_within": True,
            "id": "{{ item.id ~ '/' ~ item.path }}",
        },
    }
    config = {"settle_s": 0, "auth": {"kind": "query", "parameter": "sig", "secret": "hunter2"}, "requests": [note]}
    server.lost_share = 0.5
    assert write(server, config, tmp_path, [stop(n) for n in range(12)]) == []
    assert sorted(one["text"] for one in server.resources) == sorted(f"jam [{stop(n).natural_id}]" for n in range(12))


def test_a_secret_in_the_address_is_in_no_words(server: RecordServer, tmp_path: Path) -> None:
    note = {"class": "downtime", "create": {"url": "/notes?v=1"}}
    config = {"auth": {"kind": "query", "parameter": "sig", "secret": "hunter2"}, "requests": [note]}
    [rejected] = write(server, config, tmp_path, [stop(1)])
    assert isinstance(rejected, Rejected)
    assert "neither header" in rejected.message
    assert "/notes?v=1" in rejected.message
    assert "hunter2" not in rejected.message


def test_a_nonconformance_is_opened_revised_and_cancelled(server: RecordServer, tmp_path: Path) -> None:
    example = next(record for record in EXAMPLES if isinstance(record, Alert))

    def alert(revision: int, **more: Any) -> Derived:
        return msgspec.structs.replace(
            example,
            id=f"{PATH}#alert.quality-Offset@1~iso22400@1:{revision}",
            revision=revision,
            kind="quality",
            **more,
        )

    server.lost_share = 0.4
    config = {"profile": "nonconformance", "auth": {"secret": "hunter2"}, "settle_s": 0}
    opened, closed = alert(0, ended_at=None), alert(1, message="seen")
    assert write(server, config, tmp_path, [opened, closed]) == []
    [one] = server.resources
    assert (one["status"], one["description"], one["external_id"]) == ("closed", "seen", closed.natural_id)
    assert write(server, config, tmp_path, [alert(2, ended_at=example.started_at)]) == []
    assert server.resources[0]["status"] == "cancelled"
    assert not any(isinstance(each, LeftBehind) for each in write(server, config, tmp_path, [opened]))
