"""The demo's MES and CMMS over HTTP, in this process: it keeps what it is told, and forgets to say so when flaky."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from uns.demo.mes import Store, application, received

CONFIRMATION = {"order": "DAL-1001", "operation": "acme/x", "yield": 10, "scrap": 1, "external_id": "e1"}
WORK_ORDER = {"title": "capper: drive fault", "asset": "acme/x", "external_id": "w1", "priority": "HIGH"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mes.sqlite"


@pytest.fixture
def client(file: Path) -> TestClient:
    return TestClient(application(Store(file)))


@pytest.mark.parametrize(
    ("url", "body", "change"),
    [
        ("/mes/confirmations", CONFIRMATION, {"yield": 12}),
        ("/cmms/work-orders", WORK_ORDER, {"description": "over"}),
    ],
)
def test_created_found_and_changed(client: TestClient, url: str, body: dict[str, Any], change: dict[str, Any]) -> None:
    created = client.post(url, json=body)
    assert created.status_code == 201
    assert created.json() == {**body, "id": created.json()["id"]}
    one = f"{url}/{created.json()['id']}"
    assert client.get(url, params={"external_id": body["external_id"]}).json() == [created.json()]
    assert client.get(url, params={"external_id": "other"}).json() == []
    assert client.patch(one, json=change).json() == {**created.json(), **change}
    assert client.get(one).json() == {**created.json(), **change}
    assert client.patch(f"{url}/999", json=change).status_code == 404


@pytest.mark.parametrize(
    ("url", "body", "word"),
    [
        *(("/mes/confirmations", {k: v for k, v in CONFIRMATION.items() if k != name}, name) for name in CONFIRMATION),
        ("/mes/confirmations", {**CONFIRMATION, "yield": "many"}, "yield"),
        ("/mes/confirmations", {**CONFIRMATION, "scrap": True}, "scrap"),
        ("/cmms/work-orders", {**WORK_ORDER, "priority": "URGENT"}, "priority"),
        ("/cmms/work-orders", [], "JSON object"),
    ],
)
def test_what_it_cannot_read_is_refused_in_words(client: TestClient, url: str, body: Any, word: str) -> None:
    answer = client.post(url, json=body)
    assert answer.status_code == 422
    assert word in answer.json()["message"]
    assert client.get(url).json() == []


def test_a_change_it_cannot_read_changes_nothing(client: TestClient) -> None:
    one = f"/mes/confirmations/{client.post('/mes/confirmations', json=CONFIRMATION).json()['id']}"
    assert client.patch(one, json={"yield": "many"}).status_code == 422
    assert client.patch(one, content=b"{").status_code == 422
    assert client.get(one).json()["yield"] == 10


def test_it_knows_no_idempotency_so_a_duplicate_shows(client: TestClient, file: Path) -> None:
    for _ in range(2):
        client.post("/mes/confirmations", json=CONFIRMATION, headers={"Idempotency-Key": "e1"})
    client.post("/cmms/work-orders", json=WORK_ORDER)
    assert received(file, "confirmations") == ["e1", "e1"]
    assert received(file, "work_orders") == ["w1"]
    assert client.get("/stats").json() == {"confirmations": 2, "work_orders": 1, "requests": 3}
    assert "DAL-1001" in client.get("/").text


def test_a_new_external_id_is_found_and_text_is_escaped(client: TestClient) -> None:
    id_ = client.post("/cmms/work-orders", json={**WORK_ORDER, "title": "<script>"}).json()["id"]
    client.patch(f"/cmms/work-orders/{id_}", json={"external_id": "w2"})
    assert [one["id"] for one in client.get("/cmms/work-orders", params={"external_id": "w2"}).json()] == [id_]
    assert "<script>" not in client.get("/").text


def test_flaky_fails_before_or_after_it_took_effect_and_keeps_every_request(file: Path) -> None:
    client = TestClient(application(Store(file), flaky=0.5, seed=3))
    answers = []
    for number in range(60):
        body = {**CONFIRMATION, "external_id": f"e{number}"}
        answers.append(client.post("/mes/confirmations", json=body).status_code)
    took = {int(one[1:]) for one in received(file, "confirmations")}
    assert {number for number, status in enumerate(answers) if status in (201, 500)} == took
    assert set(answers) == {201, 500, 503}
    with sqlite3.connect(file) as db:
        kept = [row[0] for row in db.execute("SELECT status FROM request ORDER BY rowid")]
    assert kept == answers


def test_it_remembers_over_a_restart(file: Path) -> None:
    TestClient(application(Store(file))).post("/mes/confirmations", json=CONFIRMATION)
    again = TestClient(application(Store(file)))
    assert len(again.get("/mes/confirmations").json()) == 1
