"""The REST sink against a real server: what it sends, and what it makes of every kind of answer."""

import asyncio
import base64
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from schemas.records import Downtime, Quality
from sinks.base import Deferred, Delivery, LeftBehind, Rejected, Retryable, Unwritten
from sinks.rest import spec
from sinks.rest.sink import RestSink
from tests.contract.rest_server import RestServer
from tests.harness.records import EXAMPLES
from topology.namespace.classes import MessageClass
from uns.testing import delivery, downtime
from uns.testing.component import SECRET
from uns.testing.sinks import T


@pytest.fixture(scope="module")
def running() -> Iterator[RestServer]:
    with RestServer().serving() as found:
        yield found


@pytest.fixture
def server(running: RestServer) -> RestServer:
    running.reset()
    return running


class Writer:
    """A sink over one folder; every `write` is a process of its own."""

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        self._config, self._folder = config, folder

    def write(self, *records: Downtime) -> list[Unwritten]:
        return self.deliver(*(delivery(record, n) for n, record in enumerate(records)))

    def deliver(self, *deliveries: Delivery) -> list[Unwritten]:
        async def go() -> list[Unwritten]:
            sink: RestSink = spec.build("mes", spec.config.model_validate(self._config), self._folder)  # type: ignore[assignment]
            await sink.open()
            try:
                return list(await sink.write(deliveries, {}))
            finally:
                await sink.close()

        run: Callable[[Coroutine[Any, Any, list[Unwritten]]], list[Unwritten]] = asyncio.run
        return run(go())


def refused(outcomes: list[Unwritten]) -> Rejected:
    """The one outcome, a refusal."""
    [rejected] = outcomes
    assert isinstance(rejected, Rejected)
    return rejected


def mapping(config: dict[str, Any], **more: Any) -> dict[str, Any]:
    [request] = config["requests"]
    return {
        **config,
        "requests": [{**{k: v for k, v in request.items() if k not in more}, **{k: v for k, v in more.items() if v}}],
    }


def methods(server: RestServer) -> list[str]:
    return [method for method, _, _ in server.requests]


def test_revisions_update_and_an_older_one_never_overwrites(server: RestServer, tmp_path: Path) -> None:
    sink = Writer(server.config, tmp_path)
    assert sink.write(downtime(1), downtime(1, 2, "second"), downtime(1, 1, "first")) == []
    assert sink.write(downtime(1, 1, "first"), downtime(1, 3, "third")) == []
    assert [(one["revision"], one["reason"]) for one in server.objects] == [(3, "third")]
    assert methods(server) == ["POST", "PATCH", "PATCH"]
    keys = [headers["idempotency-key"] for _, _, headers in server.requests]
    assert keys == [downtime(1, n).id for n in (0, 2, 3)]


def test_without_update_later_revisions_are_left_behind_and_said(server: RestServer, tmp_path: Path) -> None:
    sink = Writer(mapping(server.config, update=None), tmp_path)
    [left] = sink.write(downtime(1), downtime(1, 1, "first"))
    assert isinstance(left, LeftBehind)
    assert "revision 1" in left.message
    assert "no update" in left.message
    assert sink.write(downtime(1), downtime(1, 1, "first")) == [], "once"
    assert [one["revision"] for one in server.objects] == [0]
    assert methods(server) == ["POST"]


@pytest.mark.parametrize("with_lookup", [True, False])
def test_a_lost_answer_is_looked_up_before_it_is_made_again(
    server: RestServer, tmp_path: Path, with_lookup: bool
) -> None:
    sink = Writer(server.config if with_lookup else mapping(server.config, lookup=None), tmp_path)
    server.lost_share = 1.0
    try:
        [deferred] = sink.write(downtime(1))
        assert isinstance(deferred, Deferred)
    finally:
        server.lost_share = 0.0
    assert sink.write(downtime(1)) == []
    assert len(server.objects) == (1 if with_lookup else 2), "as documented: without a lookup it may be made twice"
    assert ("GET" in methods(server)) == with_lookup


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (PlainTextResponse("down", 503), "503 down"),
        (PlainTextResponse("who", 401), "check auth"),
        (PlainTextResponse("no", 403), "check auth"),
        (RedirectResponse("/login", 302), "redirected to /login; check base_url"),
        (RedirectResponse("https://elsewhere/orders", 308), "redirected to https://elsewhere"),
    ],
)
def test_an_answer_that_means_later_or_ask_someone(
    server: RestServer, tmp_path: Path, answer: Response, words: str
) -> None:
    sink = Writer(server.config, tmp_path)
    server.answer = lambda: answer
    deferred = sink.write(*map(downtime, range(4)))
    assert [type(each) for each in deferred] == [Deferred] * 4
    assert words in deferred[0].message
    assert SECRET not in str(deferred)
    assert methods(server) == ["POST"], "what comes behind it under its key waits untried"
    server.answer = None
    assert sink.write(*map(downtime, range(4))) == []
    assert len(server.objects) == 4


@pytest.mark.parametrize("status", [429, 503])
def test_a_target_that_asks_for_time_gets_it(server: RestServer, tmp_path: Path, status: int) -> None:
    sink = Writer(server.config, tmp_path)
    server.answer = lambda: PlainTextResponse("slow", status, {"Retry-After": "7"})
    with pytest.raises(Retryable, match=f"{status} slow") as caught:
        sink.write(downtime(1))
    assert caught.value.wait_s == 7.0


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422])
def test_an_answer_that_means_never(server: RestServer, tmp_path: Path, status: int) -> None:
    sink = Writer(server.config, tmp_path)
    server.answer = lambda: PlainTextResponse("because", status)
    rejected = refused(sink.write(downtime(1)))
    assert (rejected.reason, "because" in rejected.message) == (f"http_{status}", True)
    assert methods(server) == (["POST", "GET"] if status == 409 else ["POST"]), "a conflict may be with ours"


def test_what_no_request_can_say_is_rejected(server: RestServer, tmp_path: Path) -> None:
    [quality] = [record for record in EXAMPLES if isinstance(record, Quality)]
    create = {"url": "/orders", "body": {"external_id": "{natural_id}", "value": "{value}"}}
    sink = Writer(mapping(server.config, **{"class": "quality", "create": create, "update": None}), tmp_path)

    def deliver(record: Quality) -> list[Unwritten]:
        return sink.deliver(Delivery("uns.acme.quality", 0, 1, record.path, MessageClass.QUALITY, record, T))

    for bad in ({"value": float("nan")}, {"started_at": 2**62}):
        rejected = refused(deliver(msgspec.structs.replace(quality, **bad)))
        assert rejected.reason == "unfit"
        assert server.objects == []
    assert deliver(quality) == []
    assert [one["value"] for one in server.objects] == [1.0]


def test_an_id_may_hold_letters_that_a_header_may_not(server: RestServer, tmp_path: Path) -> None:
    record = msgspec.structs.replace(downtime(1), id="acme/a#quality-Größe\r\nX: y@1~d@1:0")
    assert Writer(server.config, tmp_path).write(record) == []
    assert [one["external_id"] for one in server.objects] == ["acme/a#quality-Größe\r\nX: y@1~d@1"]
    [(_, _, headers)] = server.requests
    assert headers["idempotency-key"] == "acme/a#quality-Gr%C3%B6%C3%9Fe%0D%0AX: y@1~d@1:0"
    assert "x" not in headers


@pytest.mark.parametrize("reason", ["..", ".", "", "a\ud800"])
def test_a_value_that_would_reach_another_resource_reaches_none(
    server: RestServer, tmp_path: Path, reason: str
) -> None:
    create = {"url": "/orders/{reason}/confirm", "body": {"external_id": "{natural_id}"}}
    sink = Writer(mapping(server.config, create=create, lookup=None, update=None), tmp_path)
    rejected = refused(sink.write(downtime(1, reason=reason)))
    assert (rejected.reason, server.requests) == ("unfit", [])


@pytest.mark.parametrize("secret", [f"{SECRET}\nX: y", f"{SECRET}€", ""])
def test_a_secret_that_cannot_be_sent_is_said_and_not_shown_and_a_corrected_one_is_read(
    server: RestServer, tmp_path: Path, secret: str
) -> None:
    file = tmp_path / "secret"
    file.write_text(secret, encoding="utf-8")
    sink = Writer(server.config | {"auth": {"kind": "bearer", "secret_file": str(file)}}, tmp_path)
    with pytest.raises(Retryable, match="secret") as caught:
        sink.write(downtime(1))
    assert SECRET not in f"{caught.value} {caught.value.__cause__}"
    assert server.requests == []
    file.write_text(f"{SECRET}ü\n", encoding="utf-8")
    assert sink.write(downtime(1)) == []
    assert server.requests[0][2]["authorization"] == f"Bearer {SECRET}ü"


def test_found_without_an_id_is_not_made_again(server: RestServer, tmp_path: Path) -> None:
    sink = Writer(server.config, tmp_path)
    server.answer = lambda: PlainTextResponse("crashed", 500)
    [deferred] = sink.write(downtime(1))
    assert isinstance(deferred, Deferred)
    server.answer = lambda: JSONResponse({"found": {"items": [{"key": 1, "external_id": downtime(1).natural_id}]}})
    rejected = refused(sink.write(downtime(1)))
    assert (rejected.reason, "check lookup" in rejected.message) == ("no_id", True)
    assert methods(server) == ["POST", "GET"]


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"kind": "bearer", "secret": SECRET}, "authorization", f"Bearer {SECRET}"),
        ({"kind": "header", "header": "X-Api-Key", "secret": SECRET}, "x-api-key", SECRET),
        (
            {"kind": "basic", "username": "uns", "secret": SECRET},
            "authorization",
            "Basic " + base64.b64encode(f"uns:{SECRET}".encode()).decode(),
        ),
    ],
)
def test_how_the_target_knows_us(
    server: RestServer, tmp_path: Path, auth: dict[str, Any], header: str, value: str
) -> None:
    config = {**server.config, "auth": auth, "headers": {"X-Plant": "dallas"}}
    assert Writer(config, tmp_path).write(downtime(1)) == []
    [(_, _, headers)] = server.requests
    assert (headers[header], headers["x-plant"]) == (value, "dallas")


def test_when_picks_the_records(server: RestServer, tmp_path: Path) -> None:
    sink = Writer(mapping(server.config, when={"reason": ["jam", "drive"], "status": "final"}), tmp_path)
    others = [downtime(2, reason="lunch"), msgspec.structs.replace(downtime(3), status="provisional")]
    assert sink.write(downtime(1), *others, downtime(4, reason="drive")) == []
    assert [one["reason"] for one in server.objects] == ["jam", "drive"]


def test_progress_before_a_failure_is_said_and_kept(server: RestServer, tmp_path: Path) -> None:
    sink = Writer(server.config, tmp_path)

    def busy_from_the_third_on() -> Response | None:
        return PlainTextResponse("busy", 429) if len(server.requests) > 2 else None

    server.answer = busy_from_the_third_on
    with pytest.raises(Retryable) as caught:
        sink.write(*map(downtime, range(5)))
    assert caught.value.progressed
    with pytest.raises(Retryable) as caught:
        sink.write(*map(downtime, range(5)))
    assert not caught.value.progressed, "nothing new was done"
    server.answer = None
    assert sink.write(*map(downtime, range(5))) == []
    assert [one["id"] for one in server.objects] == [1, 2, 3, 4, 5]
