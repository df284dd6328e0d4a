"""The REST sink against a target that misbehaves: exactly the objects of the log, none twice, no stranger touched."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sinks.base import LeftBehind, Rejected, Unwritten
from tests.contract.rest_server import TROUBLES, RestServer
from tests.contract.rest_writing import delivered
from tests.harness import eventually
from uns.testing import delivery, downtime

CELLS = [f"acme/dallas/packaging/line-{n}/filler" for n in (1, 2)]
STRANGERS = [{"id": n + 1, "external_id": f"theirs {n}", "reason": "mine"} for n in range(25)]


@pytest.fixture(scope="module")
def running() -> Iterator[RestServer]:
    with RestServer().serving() as found:
        yield found


@pytest.fixture
def server(running: RestServer) -> RestServer:
    running.reset()
    running.objects += [dict(one) for one in STRANGERS]
    return running


def records(count: int = 6) -> list[Any]:
    """Stops of two machines, and a correction of each third."""
    made = [downtime(n, 0, f"reason {n}", CELLS[n % 2]) for n in range(count)]
    return made + [downtime(n, 1, f"corrected {n}", CELLS[n % 2]) for n in range(0, count, 3)]


def write(config: dict[str, Any], folder: Path, made: Sequence[Any]) -> list[Unwritten]:
    return asyncio.run(delivered(config, folder, [delivery(record, n) for n, record in enumerate(made)]))


def check_exact(server: RestServer, made: Sequence[Any], refused: Sequence[str] = ()) -> None:
    """Each natural id once at its newest revision, and every stranger as it was."""
    newest = {record.natural_id: record.reason for record in sorted(made, key=lambda record: record.revision)}
    ours = [one for one in server.content() if one["external_id"] in newest]
    assert Counter((one["external_id"], one["reason"]) for one in ours) == Counter(
        {(name, reason): 1 for name, reason in newest.items() if name not in refused}
    )
    assert [one for one in server.content() if one["external_id"] not in newest] == STRANGERS


def first_of_each(name: str, done: bool) -> Callable[[Request, Any], tuple[str, bool] | None]:
    """The trouble at the first request that changes something, of each object and method."""
    seen = set[tuple[str, str]]()

    def trouble(request: Request, body: Any) -> tuple[str, bool] | None:
        key = (request.method, (body or {}).get("external_id", ""))
        if request.method == "GET" or key in seen:
            return None
        seen.add(key)
        return name, done

    return trouble


@pytest.mark.parametrize("done", [True, False], ids=["done", "not-done"])
@pytest.mark.parametrize("name", TROUBLES)
def test_whatever_is_answered_once(server: RestServer, tmp_path: Path, name: str, done: bool) -> None:
    server.trouble = first_of_each(name, done)
    made = records()
    verdicts = write(server.config | {"timeout_s": 0.3 if name == "no answer" else 5}, tmp_path, made)
    if name == "409" and not done:  # another object of the target stands in the way: this is for people
        assert {each.reason for each in verdicts if isinstance(each, Rejected)} == {"http_409"}
        corrected = {record.natural_id for record in made if record.revision}
        check_exact(server, made, [record.natural_id for record in made if record.natural_id not in corrected])
        return
    refused = [each for each in verdicts if isinstance(each, Rejected)]
    # An update that is answered 409 was refused, whatever the target did with it.
    assert {each.reason for each in refused} <= ({"http_409"} if name == "409" else set())
    check_exact(server, made)


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (JSONResponse({"jsonrpc": "2.0", "error": {"code": -32602, "message": "no such order"}}), "http_200", "no such order"),
        (JSONResponse({"success": False, "message": "period closed"}), "http_200", "period closed"),
        (JSONResponse({"errors": ["mandatory"], "id": 7}, 201), "http_201", "mandatory"),
        (JSONResponse({"status": "error", "message": "locked"}), "http_200", "locked"),
        (JSONResponse({"items": [{"status": 201, "id": 7}, {"status": 422, "why": "no cost centre"}]}, 207), "http_207", "cost centre"),
        (JSONResponse([{"response": {"status": "HTTP/1.1 403 Forbidden"}}], 207), "http_207", "Forbidden"),
        (PlainTextResponse("OK"), "unproven", "neither JSON nor empty"),
        (Response(status_code=204), "unproven", "names no id"),
        (JSONResponse({"number": 17}, 201), "unproven", "names no id"),
        (JSONResponse({"id": ""}, 201), "unproven", "names no id"),
    ],
    ids=["json-rpc", "success-false", "errors-beside-id", "jsend", "207", "207-text", "text", "empty", "no-id", "empty-id"],
)  # fmt: skip
def test_a_success_that_is_none_is_never_written(
    server: RestServer, tmp_path: Path, answer: Response, reason: str, words: str
) -> None:
    server.answer = lambda: answer if server.requests[-1][0] == "POST" else None
    [rejected] = write(server.config, tmp_path, [downtime(1)])
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, words in rejected.message) == (reason, True), rejected.message
    assert server.content() == STRANGERS
    # What comes later looks first, where something may be there.
    server.answer = None
    assert write(server.config, tmp_path, [downtime(1, 1, "later")]) == []
    check_exact(server, [downtime(1, 1, "later")])


@pytest.mark.parametrize("with_lookup", [True, False])
@pytest.mark.parametrize(
    ("made", "options"),
    [
        (lambda one: Response(status_code=201, headers={"Location": f"/orders/{one['id']}"}), {}),
        (lambda one: Response(status_code=201, headers={"Location": f"https://mes.example.com/api/orders/{one['id']}/?x=1"}), {}),
        (lambda one: JSONResponse({"d": [{"key": one["id"]}]}, 201), {"id": "{{ body.d[0].key }}"}),
        (lambda one: JSONResponse({"data": {"name": one["id"]}}), {"id_field": "data.name"}),
        (lambda one: PlainTextResponse(f"OK {one['id']}"), {"success": "{{ text[:2] == 'OK' }}", "id": "{{ text[3:] }}"}),
    ],
    ids=["location", "location-whole", "expression", "field", "text"],
)  # fmt: skip
def test_the_id_comes_from_where_the_target_says_it(
    server: RestServer, tmp_path: Path, made: Callable[[dict[str, Any]], Response], options: dict[str, Any], with_lookup: bool
) -> None:  # fmt: skip
    server.made = made
    [mapping] = server.config["requests"]
    mapping["create"] |= options
    config = server.config | {
        "requests": [mapping if with_lookup else {k: v for k, v in mapping.items() if k != "lookup"}]
    }
    assert write(config, tmp_path, records()) == []
    check_exact(server, records())


def test_an_id_that_is_nowhere_is_looked_up(server: RestServer, tmp_path: Path) -> None:
    server.made = lambda one: JSONResponse({"result": "created"}, 201)
    assert write(server.config, tmp_path, records()) == []
    check_exact(server, records())


@pytest.mark.parametrize("page_size", [None, 4])
@pytest.mark.parametrize("done", [True, False], ids=["done", "not-done"])
def test_a_target_that_ignores_filters_has_no_stranger_touched(
    server: RestServer, tmp_path: Path, done: bool, page_size: int | None
) -> None:
    server.filters, server.page_size, server.trouble = False, page_size, first_of_each("500", done)
    verdicts = write(server.config, tmp_path, records())
    if page_size is None and not done:  # ours may be on a page that nobody named
        assert {each.reason for each in verdicts if isinstance(each, Rejected)} == {"lookup_strangers"}
        assert "ignores the filter" in str(verdicts[0])
        assert server.content() == STRANGERS
    else:
        assert verdicts == []
        check_exact(server, records())


def test_a_target_that_has_it_twice_is_asked_no_further(server: RestServer, tmp_path: Path) -> None:
    twice = [{"id": 26 + n, "external_id": downtime(1).natural_id, "reason": "made by hand"} for n in range(2)]
    server.objects += twice
    server.trouble = first_of_each("500", False)
    [rejected] = write(server.config, tmp_path, [downtime(1)])
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, "2 times: 26, 27" in rejected.message) == ("lookup_many", True)
    assert server.content() == [*STRANGERS, *twice]


def test_a_lookup_that_lags_is_waited_for(server: RestServer, tmp_path: Path) -> None:
    server.lag_s, server.trouble = 0.6, first_of_each("torn body", True)
    assert write(server.config | {"settle_s": 5}, tmp_path, records()) == []
    check_exact(server, records())


def test_the_next_page_is_not_followed_to_another_host(server: RestServer, tmp_path: Path) -> None:
    server.trouble = first_of_each("500", False)
    elsewhere = JSONResponse({"found": {"items": [{"id": 1, "external_id": "theirs"}]}}, headers={"Link": '<http://127.0.0.2:9/orders>; rel="next"'})  # fmt: skip
    server.answer = lambda: elsewhere if server.requests[-1][0] == "GET" else None
    [rejected] = write(server.config, tmp_path, [downtime(1)])
    assert isinstance(rejected, Rejected)
    assert "another host" in rejected.message


@pytest.mark.parametrize("answer", [JSONResponse({"items": []}), JSONResponse({"found": {"items": "none"}}), PlainTextResponse("[]x")])  # fmt: skip
def test_a_lookup_whose_answer_is_no_list_proves_nothing(server: RestServer, tmp_path: Path, answer: Response) -> None:
    server.trouble = first_of_each("500", True)
    server.answer = lambda: answer if server.requests[-1][0] == "GET" else None
    [rejected] = write(server.config, tmp_path, [downtime(1)])
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "lookup"
    assert len(server.objects) == len(STRANGERS) + 1


def with_when(server: RestServer, **more: Any) -> dict[str, Any]:
    [mapping] = server.config["requests"]
    return server.config | {"requests": [{**mapping, "when": {"reason": "jam"}, **more}]}


CANCEL = {"url": "/orders/{remote_id}", "body": {"reason": "cancelled"}}


def test_a_revision_that_leaves_when_cancels_the_object(server: RestServer, tmp_path: Path) -> None:
    config = with_when(server, cancel=CANCEL)
    assert write(config, tmp_path, [downtime(1), downtime(2, reason="lunch"), downtime(1, 1, "lunch")]) == []
    assert [one["reason"] for one in server.objects[25:]] == ["cancelled"], "and what never was is not cancelled"
    assert write(config, tmp_path, [downtime(1, 2, "tea")]) == []
    assert len(server.requests) == 2, "it is taken back once"
    assert write(config, tmp_path, [downtime(1, 3, "jam")]) == []
    assert [one["reason"] for one in server.objects[25:]] == ["jam"], "and comes back by update"


def test_after_a_delete_it_is_made_again(server: RestServer, tmp_path: Path) -> None:
    config = with_when(server, cancel={"method": "DELETE", "url": "/orders/{remote_id}"})
    assert write(config, tmp_path, [downtime(1), downtime(1, 1, "lunch"), downtime(1, 2, "tea"), downtime(1, 3)]) == []
    assert [method for method, _, _ in server.requests] == ["POST", "DELETE", "POST"]
    assert [(one["external_id"], one["revision"]) for one in server.objects[25:]] == [
        (None, 0),
        (downtime(1).natural_id, 3),
    ]


def test_a_delete_of_what_is_gone_is_done(server: RestServer, tmp_path: Path) -> None:
    config = with_when(server, cancel={"method": "DELETE", "url": "/orders/{remote_id}"})
    assert write(config, tmp_path, [downtime(1)]) == []
    server.answer = lambda: JSONResponse({"detail": "not found"}, 404)
    assert write(config, tmp_path, [downtime(1, 1, "lunch")]) == []


def test_without_cancel_the_object_is_updated_and_without_both_left_behind(server: RestServer, tmp_path: Path) -> None:
    assert write(with_when(server), tmp_path / "a", [downtime(1), downtime(1, 1, "lunch")]) == []
    assert [one["reason"] for one in server.objects[25:]] == ["lunch"]
    [left] = write(with_when(server, update=None), tmp_path / "b", [downtime(2), downtime(2, 1, "lunch")])
    assert isinstance(left, LeftBehind)
    assert "there is no cancel" in left.message


def test_a_withdrawn_record_leaves_when(server: RestServer, tmp_path: Path) -> None:
    import msgspec

    config = with_when(server, cancel=CANCEL)
    gone = msgspec.structs.replace(downtime(1, 1), ended_at=downtime(1).started_at)
    never = msgspec.structs.replace(downtime(2), ended_at=downtime(2).started_at)
    assert write(config, tmp_path, [downtime(1), gone, never]) == []
    assert [one["reason"] for one in server.objects[25:]] == ["cancelled"]


def test_what_an_unclear_attempt_made_is_cancelled_too(server: RestServer, tmp_path: Path) -> None:
    server.trouble = first_of_each("500", True)
    config = with_when(server, cancel=CANCEL)
    assert write(config, tmp_path, [downtime(1), downtime(1, 1, "lunch")]) == []
    assert [one["reason"] for one in server.objects[25:]] == ["cancelled"]


@pytest.mark.parametrize("trouble", ["500", "401", "page to log in at", "302 to a login", "torn body"])
@pytest.mark.parametrize("alone", [True, False], ids=["one-machine", "two-machines"])
def test_a_record_over_which_the_target_breaks_goes_to_quarantine_and_holds_up_no_other(
    server: RestServer, tmp_path: Path, alone: bool, trouble: str
) -> None:
    made = [downtime(n, reason="poison" if n == 0 else "jam", path=CELLS[0 if alone else n % 2]) for n in range(12)]
    server.trouble = lambda _request, body: (trouble, False) if body and body["reason"] == "poison" else None
    config = server.config | {"tries": 3, "tries_s": 0.1}
    [rejected] = write(config, tmp_path, made)
    assert isinstance(rejected, Rejected)
    reason = {"500": "http_500", "401": "http_401", "page to log in at": "http_200", "302 to a login": "http_302"}
    assert (rejected.delivery.record, rejected.reason) == (made[0], reason.get(trouble, "no_answer"))
    assert "while the target took others" in rejected.message
    check_exact(server, made, [made[0].natural_id])


def test_in_an_outage_nobody_is_guilty(server: RestServer, tmp_path: Path) -> None:
    made = records(12)
    attempts = 0

    def down(_request: Request, _body: Any) -> tuple[str, bool] | None:
        nonlocal attempts
        attempts += 1
        return ("500", False) if attempts < 60 else None

    server.trouble = down
    assert write(server.config | {"tries": 2, "tries_s": 0}, tmp_path, made) == []
    check_exact(server, made)


def test_a_target_that_dies_in_midst_and_comes_back(tmp_path: Path) -> None:
    server, made = RestServer(), records(300)
    server.objects += [dict(one) for one in STRANGERS]
    with ThreadPoolExecutor(1) as pool:
        with server.serving():
            writing = pool.submit(write, server.config, tmp_path, made)
            eventually(lambda: len(server.objects) > len(STRANGERS) + 5)
        assert len(server.objects) < len(STRANGERS) + 300, "it died in midst"
        with server.serving():
            assert writing.result() == []
    check_exact(server, made)
