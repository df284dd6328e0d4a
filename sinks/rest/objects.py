"""Brings one remote object to one revision: makes, finds, changes or takes it back, by what the ledger knows of it."""

import asyncio
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import quote

from schemas.records import Derived
from schemas.text import calendar, to_plain
from sinks.kit.answer import is_text, remote_id
from sinks.kit.template import MAPS, UnfitValue, fill, fill_url
from sinks.rest.calls import Cancel, Create, Update
from sinks.rest.config import RequestMapping, RestConfig
from sinks.rest.grouping import PAGE
from sinks.rest.ledger import ObjectLedger, RemoteObject
from sinks.rest.lookup import find
from sinks.rest.target import Refused, Target, Unproven

_GONE = ("http_404", "http_410")
_NEW = RemoteObject(None, -1)
NOTHING: Mapping[str, Any] = {}


class Later(Exception):
    """Whether the object is there will be known in `wait_s`."""

    def __init__(self, words: str, wait_s: float) -> None:
        super().__init__(words)
        self.wait_s = wait_s


class Done(NamedTuple):
    sent: bool = False
    """The target took something."""
    left: str | None = None
    """Why the object stays behind the record."""


class Objects:
    """The objects of one target."""

    def __init__(self, config: RestConfig, target: Target, ledger: ObjectLedger) -> None:
        self._target, self._ledger, self._settle_s = target, ledger, config.settle_s
        self._config = config

    def values(self, record: Derived) -> dict[str, Any]:
        """What templates may name of a record. Raises `Refused`."""
        return template_values(record, self._config)

    async def put(self, mapping: RequestMapping, record: Derived, more: Mapping[str, Any] = NOTHING) -> Done:
        """`more`: what templates may name beside the record's fields. Raises `Refused`, `Later`, `Failed` and `Retryable`."""
        wanted = may_fit(mapping, record)
        known = self._ledger.find(mapping.known_as, record.natural_id) if is_text(record.id) else None
        if known is None and not wanted:
            return Done()
        if known is not None and known.unclear_since is None and known.revision >= record.revision:
            return Done()
        values = {**self.values(record), **more}
        wanted = fits_when(mapping, record, values)
        if known is None and not wanted:
            return Done()
        if known is not None and known.remote_id is None:
            known = await self.sought(mapping, known, values)
        if known is not None and known.there:
            return await self._change(mapping, known, record, values, wanted)
        if wanted or known is None:
            return await self._create(mapping, known or _NEW, record, values)
        if known.unclear_since is not None and mapping.create.repeatable:
            await self._create(mapping, known, record, values)  # what is there already answers with its id
            made = self._ledger.find(mapping.known_as, record.natural_id) or known
            return await self._change(mapping, made, record, values, False)
        if known.unclear_since is not None:
            return Done(left="an answer was lost, and without a lookup nobody knows what there is to take back")
        self._ledger.settle(mapping.known_as, record.natural_id, None, record.revision, cancelled=True)
        return Done()

    async def sought(self, mapping: RequestMapping, known: RemoteObject, values: dict[str, Any]) -> RemoteObject:
        """What is known once the target was asked: an attempt whose answer was lost may have made it; or it exists, and
        the answer named no id. Raises `Later` while it may still come to show."""
        if mapping.lookup is None or (known.cancelled and known.unclear_since is None):
            return known
        assert mapping.key_field is not None
        found = await find(self._target, mapping.lookup, mapping.key_field, values)
        if found is not None:
            self._ledger.settle(mapping.known_as, values["natural_id"], found, known.revision)
            return known._replace(remote_id=found, cancelled=False)
        if known.unclear_since is None:
            return known
        wait_s = min(known.unclear_since + self._settle_s - time.time(), self._settle_s)
        if wait_s > 0:
            raise Later("an answer was lost; whether the object is there shows in a moment", wait_s)
        self._ledger.clear(mapping.known_as, values["natural_id"])
        return known._replace(unclear_since=None)

    async def _create(
        self, mapping: RequestMapping, known: RemoteObject, record: Derived, values: dict[str, Any]
    ) -> Done:
        name, natural_id, create = mapping.known_as, record.natural_id, mapping.create
        url, body = request(create, values)
        self._ledger.intend(name, natural_id, record.revision, time.time())
        try:
            made = await self._made(create, url, body, f"{record.id}{mapping.key_suffix}", values)
        except Refused as refused:
            if refused.reason == "http_409" and (found := await self._conflicting(mapping, known, values)) is not None:
                return await self._change(mapping, found, record, values, True)
            if not refused.reason.startswith("http_2"):  # inside a success it may be half done: it is looked up first
                self._ledger.clear(name, natural_id)
            raise
        except Unproven as error:
            made, why = None, str(error)
        else:
            why = f"POST {url} succeeds and names no id; state id_field, id or lookup"
        made = made or await self._appeared(mapping, values)
        if made is None:
            raise Refused("unproven", f"{natural_id}: {why}")
        self._ledger.settle(name, natural_id, made, record.revision)
        return Done(sent=True)

    async def _conflicting(
        self, mapping: RequestMapping, known: RemoteObject, values: dict[str, Any]
    ) -> RemoteObject | None:
        """Ours, that is there already; None where it is another that the target speaks of."""
        try:
            found = await self.sought(mapping, known, values)
        except Refused:
            return None
        return found if found.remote_id is not None else None

    async def _made(self, create: Create, url: str, body: Any, key: str, values: dict[str, Any]) -> str | None:
        answer = await self._target.ask(create.method, url, create.success, values, body, key, create.headers)
        try:
            return remote_id(answer, create.id_field, create.id, values)
        except UnfitValue as error:
            raise Unproven(str(error)) from None

    async def _appeared(self, mapping: RequestMapping, values: dict[str, Any]) -> str | None:
        """The id, once a lookup shows the object; made a second time it is never on this ground."""
        if mapping.lookup is None or mapping.key_field is None:
            return None
        deadline = time.monotonic() + self._settle_s
        while True:
            if (found := await find(self._target, mapping.lookup, mapping.key_field, values)) is not None:
                return found
            if time.monotonic() >= deadline:
                return None
            await asyncio.sleep(min(1.0, self._settle_s))

    async def _change(
        self, mapping: RequestMapping, known: RemoteObject, record: Derived, values: dict[str, Any], wanted: bool
    ) -> Done:
        name, natural_id = mapping.known_as, record.natural_id
        replacing = wanted and mapping.replace and known.intended != record.revision
        cancelling = (replacing or not wanted) and mapping.cancel is not None
        call = mapping.cancel if cancelling else mapping.update
        if call is None or known.remote_id is None or (cancelling and known.cancelled):
            self._ledger.settle(name, natural_id, known.remote_id, record.revision, known.cancelled)
            if (wanted and known.intended == record.revision) or (cancelling and known.cancelled):
                return Done()
            missing = (
                "the target named no id"
                if known.remote_id is None
                else f"there is no {'update' if wanted else 'cancel'}"
            )
            return Done(left=f"revision {record.revision} of {natural_id} is not sent: {missing}")
        await self.change(mapping, call, {**values, "remote_id": known.remote_id}, record.id)
        if replacing:
            self._ledger.settle(name, natural_id, None, known.revision, cancelled=True)
            return await self._create(mapping, RemoteObject(None, known.revision, cancelled=True), record, values)
        gone = isinstance(call, Cancel) and call.deletes
        self._ledger.settle(name, natural_id, None if gone else known.remote_id, record.revision, cancelling)
        return Done(sent=True)

    async def change(self, mapping: RequestMapping, call: Update | Cancel, values: dict[str, Any], key: str) -> None:
        """Sends what changes an object. It sets and does not add: sent twice it leaves the same object, so it needs no intent."""
        url, body = request(call, values)
        try:
            await self._target.ask(call.method, url, call.success, values, body or None, key, call.headers)
        except Unproven as error:
            raise Refused("unproven", str(error)) from None
        except Refused as refused:
            if not (isinstance(call, Cancel) and call.deletes and await self._gone(mapping, refused, values)):
                raise

    async def _gone(self, mapping: RequestMapping, refused: Refused, values: dict[str, Any]) -> bool:
        """Whether what was to be taken back is not there any more: said, or seen. An answer that was lost may have done it."""
        if refused.reason in _GONE:
            return True
        if mapping.lookup is None or mapping.key_field is None:
            return False
        return await find(self._target, mapping.lookup, mapping.key_field, values) is None


def template_values(record: Derived, config: RestConfig) -> dict[str, Any]:
    """What templates may name. Raises `Refused`."""
    if not is_text(record.id):
        raise Refused("unfit", f"{record.id!r}: half of a surrogate pair stands in the id")
    try:
        plain = to_plain(record, calendar)
    except OverflowError as error:
        raise Refused("unfit", f"{record.id!r}: a time that no calendar has: {error}") from error
    page = None if config.page_url is None else f"{config.page_url}/{quote(record.path)}"
    return {**plain, "natural_id": record.natural_id, PAGE: page, MAPS: SimpleNamespace(**config.maps)}


def request(call: Create | Update | Cancel, values: dict[str, Any]) -> tuple[str, Any]:
    try:
        return fill_url(call.url, values), fill(call.body, values)
    except UnfitValue as error:
        raise Refused("unfit", str(error)) from error


def fits_when(mapping: RequestMapping, record: Derived, values: dict[str, Any]) -> bool:
    """Whether the record is to have an object. Raises `Refused`."""
    return may_fit(mapping, record) and fits(mapping.when, record, values)


def fits(test: dict[str, Any] | str, record: Derived, values: dict[str, Any]) -> bool:
    """Whether a record is as a test says: fields with their values, or an expression. Raises `Refused`."""
    if isinstance(test, dict):
        return _has(test, record)
    try:
        return bool(fill(test, values))
    except UnfitValue as error:
        raise Refused("unfit", str(error)) from error


def may_fit(mapping: RequestMapping, record: Derived) -> bool:
    """As far as it can be said without its values as text, which most records of a class never need."""
    return not record.withdrawn and (isinstance(mapping.when, str) or _has(mapping.when, record))


def _has(wanted_of: dict[str, Any], record: Derived) -> bool:
    for name, wanted in wanted_of.items():
        value = getattr(record, name)
        if value not in wanted if isinstance(wanted, list) else value != wanted:
            return False
    return True
