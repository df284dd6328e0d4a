"""i3X 1.0 over HTTP: the calls, each a function of what is asked. Starlette only carries them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Any

import structlog
from confluent_kafka import KafkaException
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from uns.errors import UserError
from uns.i3x import asked
from uns.i3x.answers import Item, Refused, bulk, failure, success
from uns.i3x.history import VALUES_MAX, Past, values
from uns.i3x.server import Server
from uns.i3x.space import Element
from uns.i3x.streaming import stream
from uns.i3x.subscriptions import Subscription, TooMany
from uns.i3x.types import namespaces, relationship_types
from uns.runtime.access import Access, loopback

log = structlog.get_logger()

SPEC_VERSION = "1.0"
PREFIX = "/v1"
Body = dict[str, Any]
Call = Callable[["Calls", Request, Body], Any]


class Calls:
    """Each is called in a thread, with the body of its request. Raises `Refused`."""

    def __init__(self, server: Server, past: Past) -> None:
        self.server, self.past = server, past

    # -- exploring ---------------------------------------------------------------------------------------------

    def info(self, request: Request, body: Body) -> Response:
        capabilities = {
            "query": {"history": True},
            "update": {"current": False, "history": False},
            "subscribe": {"stream": True},
        }
        about = {"specVersion": SPEC_VERSION, "serverVersion": version("uns-backbone"), "serverName": "uns-backbone"}
        return success({**about, "capabilities": capabilities})

    def namespaces(self, request: Request, body: Body) -> Response:
        return success(namespaces(self.server.plant))

    def object_types(self, request: Request, body: Body) -> Response:
        wanted = request.query_params.get("namespaceUri")
        kinds = self.server.space.types.values()
        return success([kind.as_json() for kind in kinds if wanted in (None, kind.namespace)])

    def object_types_query(self, request: Request, body: Body) -> Response:
        kinds = self.server.space.types
        return bulk(_each(asked.ids(body), "object type", lambda id_: kinds[id_].as_json() if id_ in kinds else None))

    def relationship_types(self, request: Request, body: Body) -> Response:
        wanted = request.query_params.get("namespaceUri")
        return success([each for each in relationship_types() if wanted in (None, each["namespaceUri"])])

    def relationship_types_query(self, request: Request, body: Body) -> Response:
        known = {each["elementId"]: each for each in relationship_types()}
        return bulk(_each(asked.ids(body), "relationship type", known.get))

    def objects(self, request: Request, body: Body) -> Response:
        wanted = request.query_params.get("typeElementId")
        metadata, root = (asked.flag(request.query_params, name) for name in ("includeMetadata", "root"))
        with self.server.lock:
            space = self.server.space
            chosen = [
                space.as_json(each, metadata)
                for each in space
                if wanted in (None, each.type_id) and not (root and each.parent is not None)
            ]
        return success(chosen)

    def objects_list(self, request: Request, body: Body) -> Response:
        metadata = asked.flag(body, "includeMetadata")
        return self._of_objects(body, lambda element: self.server.space.as_json(element, metadata))

    def objects_related(self, request: Request, body: Body) -> Response:
        wanted, metadata = asked.optional_text(body, "relationshipType"), asked.flag(body, "includeMetadata")

        def related(element: Element) -> list[dict[str, Any]]:
            space = self.server.space
            return [
                {"sourceRelationship": relation, "object": space.as_json(other, metadata)}
                for relation, other in space.edges(element)
                if wanted in (None, relation)
            ]

        return self._of_objects(body, related)

    # -- reading -----------------------------------------------------------------------------------------------

    def value(self, request: Request, body: Body) -> Response:
        depth = asked.depth(body)

        def read(element: Element) -> dict[str, Any]:
            told = {"isComposition": self.server.space.is_composition(element), **self.server.value(element).as_json()}
            if depth != 1 and told["isComposition"]:
                below = self.server.space.components(element.id)
                told["components"] = {each.id: self.server.value(each).as_json() for each in below}
            return told

        return self._of_objects(body, read)

    def history(self, request: Request, body: Body) -> Response:
        begin, end = asked.span(body, self.server.now())
        asked.depth(body)
        ids = asked.ids(body) if body.get("elementIds") is not None else []
        items: list[Item] = []
        left, partial = VALUES_MAX, None
        for id_ in ids:
            with self.server.lock:
                element = self.server.space.get(id_)
            if element is None:
                items.append((id_, _unknown("element", id_)))
                continue
            try:
                found, more = values(self.past, self.server.space, element, begin, end, max(1, left))
            except (UserError, KafkaException) as error:  # one that cannot be read now takes none of the others along
                items.append((id_, Refused(500, f"the past cannot be read now: {error}")))
                continue
            left -= len(found)
            if more:
                partial = f"this server returns {VALUES_MAX} values at once, the oldest; ask for a shorter span"
            told = {"isComposition": not element.is_component, "values": [vqt.as_json() for vqt in found]}
            items.append((id_, told))
        return bulk(items, partial=partial)

    def no_update(self, request: Request, body: Body) -> Response:
        raise Refused(501, "this server does not take values: connectors do; see capabilities.update of /info")

    def _of_objects(self, body: Body, read: Callable[[Element], Any]) -> Response:
        def one(id_: str) -> Any:
            element = self.server.space.get(id_)
            return None if element is None else read(element)

        ids = asked.ids(body)
        with self.server.lock:
            return bulk(_each(ids, "element", one))

    # -- subscribing -------------------------------------------------------------------------------------------

    def subscribe(self, request: Request, body: Body) -> Response:
        client, name = asked.text(body, "clientId"), asked.optional_text(body, "displayName")
        try:
            with self.server.lock:
                made = self.server.subscriptions.create(client, name or "", self.server.clock_s())
        except TooMany as error:
            raise Refused(400, str(error)) from None
        return success({"clientId": client, "subscriptionId": made.id, "displayName": made.name or made.id})

    def list_subscriptions(self, request: Request, body: Body) -> Response:
        def tell(found: Subscription) -> dict[str, Any]:
            monitored = [{"elementId": id_, "maxDepth": depth} for id_, depth in found.monitored.items()]
            return {"subscriptionId": found.id, "displayName": found.name or found.id, "monitoredObjects": monitored}

        return self._of_subscriptions(body, tell)

    def delete_subscriptions(self, request: Request, body: Body) -> Response:
        return self._of_subscriptions(body, self.server.subscriptions.delete)

    def register(self, request: Request, body: Body) -> Response:
        ids, depth = asked.ids(body), asked.depth(body)
        with self.server.lock:
            subscription = self.subscription(body)
            return bulk([(id_, self._register(subscription, id_, depth)) for id_ in ids])

    def _register(self, subscription: Subscription, id_: str, depth: int) -> Refused | None:
        server = self.server
        if server.space.get(id_) is None:
            return _unknown("element", id_)
        reached = server.reached(id_, depth)
        try:
            new = server.subscriptions.register(subscription, id_, depth, reached)
        except TooMany as error:
            return Refused(400, str(error))
        # What it is now comes first: a client that registers late must not wait for the next change to know it.
        if new and (present := server.present(reached)):
            subscription.take(tuple(present), server.subscriptions.limits.updates)
        return None

    def unregister(self, request: Request, body: Body) -> Response:
        ids = asked.ids(body)
        with self.server.lock:
            subscription = self.subscription(body)
            items: list[Item] = []
            for id_ in ids:
                gone = self.server.subscriptions.unregister(subscription, id_, self.server.reached)
                items.append((id_, None if gone else _unknown("registered element", id_)))
            return bulk(items)

    def sync(self, request: Request, body: Body) -> Response:
        number = asked.whole(body, "lastSequenceNumber", None, -1)
        with self.server.lock:
            subscription = self.subscription(body)
            if subscription.stream is not None:
                raise Refused(400, "the subscription has an open stream; close it before you call sync")
            if number is not None:
                subscription.acknowledge(number)
            lost = subscription.newly_dropped()
            batches = [batch.as_json() for batch in subscription.waiting]
        most = self.server.subscriptions.limits.updates
        words = f"{lost} updates were dropped from the full queue, which holds {most}" if lost else None
        return success(batches, words)

    def subscription(self, body: Body) -> Subscription:
        """That which the body names, under the lock. Raises `Refused`."""
        client, id_ = asked.text(body, "clientId"), asked.text(body, "subscriptionId")
        now = self.server.clock_s()
        found = self.server.subscriptions.find(client, id_, now)
        if found is None:
            raise _unknown("subscription", id_)
        found.touched = now
        return found

    def _of_subscriptions(self, body: Body, tell: Callable[[Subscription], Any]) -> Response:
        client, ids = asked.text(body, "clientId"), asked.ids(body, "subscriptionIds")
        with self.server.lock:
            items: list[Item] = []
            for id_ in ids:
                found = self.server.subscriptions.find(client, id_, self.server.clock_s())
                items.append((id_, _unknown("subscription", id_) if found is None else tell(found)))
        return bulk(items, "subscriptionId")


ROUTES: Mapping[tuple[str, str], Call] = {
    ("GET", "/info"): Calls.info,
    ("GET", "/namespaces"): Calls.namespaces,
    ("GET", "/objecttypes"): Calls.object_types,
    ("POST", "/objecttypes/query"): Calls.object_types_query,
    ("GET", "/relationshiptypes"): Calls.relationship_types,
    ("POST", "/relationshiptypes/query"): Calls.relationship_types_query,
    ("GET", "/objects"): Calls.objects,
    ("POST", "/objects/list"): Calls.objects_list,
    ("POST", "/objects/related"): Calls.objects_related,
    ("POST", "/objects/value"): Calls.value,
    ("POST", "/objects/history"): Calls.history,
    ("PUT", "/objects/value"): Calls.no_update,
    ("PUT", "/objects/history"): Calls.no_update,
    ("POST", "/subscriptions"): Calls.subscribe,
    ("POST", "/subscriptions/list"): Calls.list_subscriptions,
    ("POST", "/subscriptions/delete"): Calls.delete_subscriptions,
    ("POST", "/subscriptions/register"): Calls.register,
    ("POST", "/subscriptions/unregister"): Calls.unregister,
    ("POST", "/subscriptions/sync"): Calls.sync,
}
"""Every call but the stream, which does not end."""
STREAM = "/subscriptions/stream"


def create(server: Server, past: Past, access: Access) -> Starlette:
    """The web application. Without credentials it answers only requests to this machine's own names."""
    calls = Calls(server, past)
    guard = Guard(access)

    def route(method: str, path: str, call: Call) -> Route:
        async def endpoint(request: Request) -> Response:
            guard.check(request, free=path == "/info")
            body = await _body(request)
            return await run_in_threadpool(lambda: _answered(call, calls, request, body))

        return Route(PREFIX + path, endpoint, methods=[method])

    async def streaming(request: Request) -> Response:
        guard.check(request, free=False)
        body = await _body(request)
        return stream(server, lambda: calls.subscription(body), asyncio.get_running_loop())

    return Starlette(
        routes=[
            *(route(method, path, call) for (method, path), call in ROUTES.items()),
            Route(PREFIX + STREAM, streaming, methods=["POST"]),
        ],
        middleware=[Middleware(GZipMiddleware, minimum_size=0, compresslevel=5)],
        exception_handlers={Refused: _refused, HTTPException: _http_error, Exception: _unforeseen},
    )


class Guard:
    """Lets in who may ask."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def check(self, request: Request, free: bool) -> None:
        """Raises `Refused`. `free`: asked without credentials, as a health check is."""
        if not self._access.required and not loopback(request.headers.get("host", "")):
            # A page elsewhere may name this machine as its own: a browser would then let it read what is here.
            raise Refused(403, "this server has no credentials and answers only as localhost or 127.0.0.1")
        if not free and not self._access.allows(request.headers.get("authorization", "")):
            headers = {"www-authenticate": 'Bearer, Basic realm="i3X"'}
            raise Refused(401, "credentials are missing or not known", headers)


def _answered(call: Call, calls: Calls, request: Request, body: Body) -> Response:
    answer: Response = call(calls, request, body)
    return answer


async def _body(request: Request) -> Body:
    """Raises `Refused`, before more than the limit is held."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > asked.BODY_MAX_BYTES:
            raise Refused(400, f"the body has more than {asked.BODY_MAX_BYTES} bytes: ask in parts")
        chunks.append(chunk)
    return asked.body(b"".join(chunks))


def _each(ids: Iterable[str], what: str, find: Callable[[str], Any]) -> list[Item]:
    found = ((id_, find(id_)) for id_ in ids)
    return [(id_, _unknown(what, id_) if result is None else result) for id_, result in found]


def _unknown(what: str, id_: str) -> Refused:
    return Refused(404, f"{what} not found: {id_}")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return failure(error)


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return failure(Refused(status, f"{request.method} {request.url.path}: there is no such call"))


async def _unforeseen(request: Request, error: Exception) -> Response:
    log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
    return failure(Refused(500, f"error in the server: {type(error).__name__}"))
