"""The calls over HTTP, as the specification says them; and who is let in."""

import base64
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from schemas.records import Sample, State
from tests.harness.i3x import Client, Listener, Told, asking, server, snapshot
from tests.harness.records import EXAMPLES, PATH, T
from tests.harness.waiting import eventually
from uns.errors import UserError
from uns.i3x.app import ROUTES, STREAM
from uns.i3x.server import Server
from uns.i3x.space import stream_id, tag_id
from uns.i3x.subscriptions import Limits
from uns.runtime.access import Access, loopback

GOOD, NOWHERE = tag_id(PATH, "Good"), "acme/nowhere"


def told(made: Server, number: int) -> None:
    with made.lock:
        made.take(snapshot(T + number, Sample("Good", T + number, number)))


def test_exploring() -> None:
    made, _ = server()
    with asking(made) as client:
        assert client.get("/info")["capabilities"] == {
            "query": {"history": True},
            "update": {"current": False, "history": False},
            "subscribe": {"stream": True},
        }
        types = {each["elementId"]: each for each in client.get("/objecttypes")}
        objects = client.get("/objects")
        assert {each["typeElementId"] for each in objects} <= types.keys()
        (root,) = client.get("/objects", root="true", includeMetadata="true")
        assert root["elementId"] == "acme"
        assert root["parentId"] is None
        assert root["metadata"]["relationships"]["HasChildren"] == ["acme/dallas"]
        uri = types["type:line"]["namespaceUri"]
        assert {each["namespaceUri"] for each in client.get("/objecttypes", namespaceUri=uri)} == {uri}
        machines = client.get("/objects", typeElementId="type:equipment:filler")
        assert [each["elementId"] for each in machines] == [PATH, PATH.replace("filler", "capper")]
        found = client.post("/objects/related", {"elementIds": [PATH], "relationshipType": "HasParent"})
        assert [each["object"]["elementId"] for each in found["results"][0]["result"]] == [PATH.rpartition("/")[0]]


@pytest.mark.parametrize(
    "call", ["/objecttypes/query", "/relationshiptypes/query", "/objects/list", "/objects/related", "/objects/value"]
)
def test_of_several_ids_each_has_its_own_answer_in_order(call: str) -> None:
    made, _ = server()
    known = {"/objecttypes/query": "type:line", "/relationshiptypes/query": "HasParent"}.get(call, PATH)
    with asking(made) as client:
        answer = client.answer("POST", call, {"elementIds": [NOWHERE, known]})
    body = answer.json()
    assert (answer.status_code, body["success"]) == (200, False)
    assert [(each["elementId"], each["success"]) for each in body["results"]] == [(NOWHERE, False), (known, True)]
    assert body["results"][0]["responseDetail"]["status"] == 404


def test_values_alone_and_with_their_components() -> None:
    made, _ = server()
    told(made, 5)
    with asking(made) as client:
        (alone,) = client.post("/objects/value", {"elementIds": [PATH]})["results"]
        assert alone["result"]["value"]["state"] == "execute"
        assert "components" not in alone["result"]
        (deep,) = client.post("/objects/value", {"elementIds": [PATH], "maxDepth": 0})["results"]
        assert deep["result"]["components"][GOOD] == {
            "value": 5,
            "quality": "Good",
            "timestamp": "2026-11-18T11:06:40.000005Z",
        }
        assert deep["result"]["components"][tag_id(PATH, "Scrap")]["quality"] == "GoodNoData"


def test_history_of_tags_and_streams() -> None:
    made, clock = server()
    clock.now = T + 10
    state = next(each for each in EXAMPLES if isinstance(each, State))
    past = Told(*(Sample("Good", T + number, number) for number in range(5)), records=(state,))
    ids = [GOOD, stream_id(PATH, "state"), PATH, NOWHERE]
    with asking(made, past) as client:
        asked = {
            "elementIds": ids,
            "startTime": "2026-11-18T11:06:40.000001Z",
            "endTime": "2026-11-18T11:06:40.000003Z",
        }
        good, states, machine, nowhere = client.post("/objects/history", asked)["results"]
        assert [each["value"] for each in good["result"]["values"]] == [1, 2, 3]
        assert [each["value"]["state"] for each in states["result"]["values"]] == ["execute"]
        assert [each["quality"] for each in machine["result"]["values"]] == ["GoodNoData"]
        assert not nowhere["success"]
        open_ended = client.post("/objects/history", {"elementIds": [GOOD], "startTime": "2026-11-18T11:06:40Z"})
        assert len(open_ended["results"][0]["result"]["values"]) == 5


def test_a_past_that_cannot_be_read_is_said_of_each_object() -> None:
    class Away(Told):
        def samples(self, path: str, tag: str, begin: int, end: int) -> Iterator[Sample]:
            raise UserError("historian: connection refused")

    made, _ = server()
    state = next(each for each in EXAMPLES if isinstance(each, State))
    with asking(made, Away(records=(state,))) as client:
        asked = {"elementIds": [GOOD, stream_id(PATH, "state")], "startTime": "2026-11-18T11:06:40Z"}
        answer = client.answer("POST", "/objects/history", asked)
    good, states = answer.json()["results"]
    assert (answer.status_code, good["responseDetail"]["status"], states["success"]) == (200, 500, True)
    assert "connection refused" in good["responseDetail"]["detail"]


def test_more_history_than_one_answer_takes_is_partial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uns.i3x.app.VALUES_MAX", 2)
    made, _ = server()
    with asking(made, Told(*(Sample("Good", T + number, number) for number in range(5)))) as client:
        asked = {"elementIds": [GOOD], "startTime": "2026-11-18T11:06:40Z", "endTime": "2026-11-18T12:00:00Z"}
        answer = client.answer("POST", "/objects/history", asked)
    assert answer.status_code == 206
    assert answer.json()["responseDetail"]["status"] == 206
    assert [each["value"] for each in answer.json()["results"][0]["result"]["values"]] == [0, 1]


def test_sync_gives_again_what_is_not_acknowledged() -> None:
    made, _ = server()
    told(made, 1)
    with asking(made) as client:
        mine = client.subscribed(GOOD)

        def values(**more: int) -> list[tuple[int, list[int]]]:
            batches = client.post("/subscriptions/sync", {**mine, **more})["result"]
            return [(batch["sequenceNumber"], [each["value"] for each in batch["updates"]]) for batch in batches]

        assert values() == [(1, [1])], "what it is as it is registered"
        told(made, 2)
        assert values() == [(1, [1]), (2, [2])]
        assert values(lastSequenceNumber=1) == [(2, [2])]
        told(made, 3)
        assert values(lastSequenceNumber=-1) == []
        assert values() == []
        (listed,) = client.post("/subscriptions/list", {"clientId": "me", "subscriptionIds": [mine["subscriptionId"]]})[
            "results"
        ]
        assert listed["result"]["monitoredObjects"] == [{"elementId": GOOD, "maxDepth": 1}]


def test_an_overflow_is_a_206_once() -> None:
    made, _ = server(Limits(updates=2))
    with asking(made) as client:
        mine = client.subscribed(GOOD)
        for number in range(1, 5):
            told(made, number)
        first = client.answer("POST", "/subscriptions/sync", mine)
        assert first.status_code == 206
        assert "2 updates were dropped" in first.json()["responseDetail"]["detail"]
        assert [batch["sequenceNumber"] for batch in first.json()["result"]] == [3, 4]
        assert client.answer("POST", "/subscriptions/sync", mine).status_code == 200


def test_a_stream_sends_what_waits_and_what_comes_and_a_second_one_ends_it() -> None:
    made, _ = server()
    with asking(made) as client:
        mine = client.subscribed(GOOD)
        told(made, 1)
        first = Listener(client, mine)
        eventually(lambda: any('"value":1' in line for line in first.lines), what="what waited")
        assert first.media_type.startswith("text/event-stream")
        refused = client.answer("POST", "/subscriptions/sync", mine)
        assert refused.status_code == 400
        assert "open stream" in refused.json()["responseDetail"]["detail"]
        told(made, 2)
        eventually(lambda: any('"value":2' in line for line in first.lines), what="what came")
        second = Listener(client, mine)
        eventually(lambda: first.ended == "in order", what="the first stream's end")
        told(made, 3)
        eventually(lambda: any('"value":3' in line for line in second.lines), what="the second stream")
        assert client.post("/subscriptions/delete", {"clientId": "me", "subscriptionIds": [mine["subscriptionId"]]})[
            "success"
        ]
        eventually(lambda: second.ended == "in order", what="the end with the subscription")


def test_a_stream_whose_reader_went_lets_sync_go_on() -> None:
    made, _ = server()
    with asking(made) as client:
        mine = client.subscribed(GOOD)
        with client.http.stream("POST", f"{client.url}/subscriptions/stream", json=mine) as answer:
            assert next(answer.iter_lines()) == ": open"

        def synced() -> bool:
            told(made, 1)  # something to send: only so is it seen that nobody reads
            return client.answer("POST", "/subscriptions/sync", mine).status_code == 200

        eventually(synced, what="sync after the stream")


@pytest.mark.parametrize(
    ("call", "body", "status"),
    [
        ("/subscriptions", {}, 400),
        ("/subscriptions/sync", {"subscriptionId": "x"}, 400),
        ("/subscriptions/sync", {"clientId": "me", "subscriptionId": "x"}, 404),
        ("/subscriptions/stream", {"clientId": "me", "subscriptionId": "x"}, 404),
        ("/subscriptions/sync", {"clientId": "me", "subscriptionId": "x", "lastSequenceNumber": "7"}, 400),
        ("/objects/value", {}, 400),
        ("/objects/value", [], 400),
        ("/objects/value", {"elementIds": "acme"}, 400),
        ("/objects/value", {"elementIds": ["acme"], "maxDepth": -1}, 400),
        ("/objects/value", {"elementIds": ["acme"] * 10_001}, 400),
        (
            "/objects/history",
            {"elementIds": ["acme"], "startTime": "yesterday", "endTime": "2026-11-18T11:06:40Z"},
            400,
        ),
        ("/objects/history", {"elementIds": ["acme"]}, 400),
        ("/nothing", {}, 404),
    ],
)
def test_what_cannot_be_answered_is_said(call: str, body: Any, status: int) -> None:
    made, _ = server()
    with asking(made) as client:
        answer = client.answer("POST", call, body)
    assert (answer.status_code, answer.json()["success"]) == (status, False)
    assert answer.json()["responseDetail"].keys() == {"title", "status", "detail"}
    assert answer.json()["responseDetail"]["status"] == status


def test_half_a_surrogate_pair_is_answered_as_any_unknown_id() -> None:
    made, _ = server()
    with asking(made) as client:
        answer = client.http.post(
            f"{client.url}/objects/value",
            content=b'{"elementIds": ["\\ud800"]}',
            headers={"content-type": "application/json"},
        )
    assert answer.json()["results"][0]["responseDetail"]["status"] == 404


def test_values_are_not_taken() -> None:
    made, _ = server()
    with asking(made) as client:
        for call in ("/objects/value", "/objects/history"):
            assert client.answer("PUT", call, {"updates": []}).status_code == 501


def test_gzip_is_given_to_whom_asks_for_it() -> None:
    made, _ = server()
    with asking(made) as client:
        assert (
            client.answer("GET", "/namespaces", headers={"accept-encoding": "gzip"}).headers["content-encoding"]
            == "gzip"
        )
        assert (
            "content-encoding"
            not in client.answer("GET", "/namespaces", headers={"accept-encoding": "identity"}).headers
        )


def everywhere(client: Client, headers: dict[str, str]) -> set[int]:
    """The answers of all calls but /info."""
    calls = [*(each for each in ROUTES if each[1] != "/info"), ("POST", STREAM)]
    return {
        client.answer(method, path, {} if method == "POST" else None, headers=headers).status_code
        for method, path in calls
    }


def test_with_credentials_nobody_else_is_let_in() -> None:
    made, _ = server()
    access = Access(["# who may", "bearer tok-1", "basic ann:p:w", ""])
    basic = base64.b64encode(b"ann:p:w").decode()
    with asking(made, access=access) as client:
        assert client.answer("GET", "/info").status_code == 200
        for wrong in (
            {},
            {"authorization": "Bearer tok-2"},
            {"authorization": "Basic tok-1"},
            {"authorization": f"Bearer {basic}"},
        ):
            assert everywhere(client, wrong) == {401}
        for right in ("Bearer tok-1", f"Basic {basic}"):
            assert 401 not in everywhere(client, {"authorization": right})


def test_without_credentials_only_this_machine_is_answered() -> None:
    made, _ = server()
    with asking(made) as client:
        assert client.answer("GET", "/namespaces", headers={"host": "evil.example"}).status_code == 403
        assert client.answer("GET", "/namespaces", headers={"host": "localhost:1"}).status_code == 200


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.0.0.1:8085", True), ("[::1]:8085", True), ("::1", True), ("LOCALHOST", True)]
    + [(host, False) for host in ("0.0.0.0", "10.0.0.7:8085", "localhost.evil.example", "", "[", "::")],
)
def test_which_hosts_are_this_machine(host: str, local: bool) -> None:
    assert loopback(host) is local


@pytest.mark.parametrize("line", ["bearer", "digest x", "basic ann", "tok-1"])
def test_a_line_of_credentials_that_is_none_is_refused_without_repeating_it(line: str) -> None:
    with pytest.raises(UserError, match="line 1") as refused:
        Access([line])
    assert "tok-1" not in str(refused.value)


def test_the_clocks_values_are_json_whatever_they_are() -> None:
    made, _ = server()
    state = next(each for each in EXAMPLES if isinstance(each, State))
    made.take(msgspec.structs.replace(state, started_at=2**62))
    with asking(made) as client:
        (found,) = client.post("/objects/value", {"elementIds": [stream_id(PATH, "state")]})["results"]
    assert found["result"]["timestamp"].endswith("Z")
