"""An i3X server over a plant of two machines, with its clock in the test's hand; and asking it over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from schemas.records import Current, Derived, Sample
from tests.harness.line_logs import plant
from tests.harness.records import EXAMPLES, PATH, T
from tests.harness.serving import serving
from uns.i3x.app import create
from uns.i3x.server import Server
from uns.i3x.subscriptions import Limits
from uns.runtime.access import Access
from uns.runtime.ports import free_port


class NoPast:
    """Of a plant that keeps nothing."""

    def samples(self, path: str, tag: str, begin: int, end: int) -> Iterator[Sample]:
        return iter(())

    def records(self, message_class: str, path: str, begin: int, end: int) -> Iterator[Derived]:
        return iter(())


class Told(NoPast):
    """What was given to it."""

    def __init__(self, *samples: Sample, records: tuple[Derived, ...] = ()) -> None:
        self._samples, self._records = samples, records

    def samples(self, path: str, tag: str, begin: int, end: int) -> Iterator[Sample]:
        return (sample for sample in self._samples if sample.tag == tag and begin <= sample.at < end)

    def records(self, message_class: str, path: str, begin: int, end: int) -> Iterator[Derived]:
        return (each for each in self._records if each.message_class == message_class)


class Clock:
    def __init__(self) -> None:
        self.now = T

    def __call__(self) -> int:
        return self.now


def server(limits: Limits = Limits()) -> tuple[Server, Clock]:  # noqa: B008 (a tuple of numbers)
    clock = Clock()
    return Server(plant(), clock, limits), clock


def snapshot(at: int = T, *tags: Sample, last_seen: int | None = T, path: str = PATH) -> Current:
    """A machine's, with these tags."""
    import msgspec

    example = next(each for each in EXAMPLES if isinstance(each, Current))
    return msgspec.structs.replace(
        example, path=path, at=at, tags=tags, last_seen=last_seen, started_at=at, id=f"{path}#current@{at}:0"
    )


@contextmanager
def asking(made: Server, past: Any = None, access: Access | None = None) -> Iterator["Client"]:
    """The server on a port of this machine, and a client of it."""
    port = free_port()
    with serving(create(made, past or NoPast(), access or Access(())), port), Client(port) as client:
        yield client


class Client:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self.http = httpx2.Client(timeout=30)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str, **query: str) -> Any:
        return self.answer("GET", path, query=query).json()["result"]

    def post(self, path: str, body: Any) -> Any:
        return self.answer("POST", path, body).json()

    def answer(
        self, method: str, path: str, body: Any = None, query: Any = None, headers: Any = None
    ) -> httpx2.Response:
        return self.http.request(method, self.url + path, json=body, params=query, headers=headers)

    def subscribed(self, *ids: str, depth: int = 1) -> dict[str, str]:
        """A subscription of these objects: what a request about it carries."""
        made = self.post("/subscriptions", {"clientId": "me"})["result"]
        mine = {"clientId": "me", "subscriptionId": made["subscriptionId"]}
        registered = self.post("/subscriptions/register", {**mine, "elementIds": list(ids), "maxDepth": depth})
        assert registered["success"], registered
        return mine


class Listener:
    """Reads a stream in a thread: the lines so far, and how it ended."""

    def __init__(self, client: Client, mine: dict[str, str]) -> None:
        self.lines: list[str] = []
        self.ended: str | None = None
        self._client, self._mine = client, mine
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            with (
                httpx2.Client(timeout=60) as http,
                http.stream("POST", f"{self._client.url}/subscriptions/stream", json=self._mine) as answer,
            ):
                self.status, self.media_type = answer.status_code, answer.headers["content-type"]
                for line in answer.iter_lines():
                    self.lines.append(line)
            self.ended = "in order"
        except httpx2.HTTPError as error:
            self.ended = repr(error)
