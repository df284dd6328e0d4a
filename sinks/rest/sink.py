"""Makes one remote object for each record that a mapping names, and keeps it at the newest revision.

Effectively once without the target's help: the ledger says what was done; where a crash or a lost answer leaves it
unclear, the object is looked up before it is made again. Targets that honour an idempotency key get one as well.
"""

import sqlite3
import ssl
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any
from urllib.parse import quote

import httpx2

from schemas.records import Derived
from schemas.text import calendar, to_plain
from sinks.base import Delivery, Positions, Rejected, Retryable
from sinks.rest.config import Call, Lookup, RequestMapping, RestConfig
from sinks.rest.ledger import ObjectLedger
from sinks.rest.template import UnfitValue, fill, fill_url
from topology.endpoint import BadSecret, header_value

WORDS_MAX = 500
BUSY = (408, 425, 429)
"""Answers that mean later, like all from 500 on."""


class _Refused(Exception):
    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.reason = reason


class RestSink:
    """One target. Records are written one after the other, in the order they came."""

    def __init__(self, name: str, config: RestConfig, folder: FilePath) -> None:
        self._name, self._config, self._folder = name, config, folder
        self._client: httpx2.AsyncClient | None = None
        self._ledger: ObjectLedger | None = None

    async def open(self) -> None:
        """Opens the ledger; the target is first asked when there is something to write."""
        await self.close()
        config = self._config
        headers = {name.encode(): header_value(value) for name, value in config.headers.items()}
        basic = None
        try:
            if config.auth is not None:
                if config.auth.kind == "basic":
                    basic = httpx2.BasicAuth(config.auth.username or "", config.auth.value())
                else:
                    name, line = config.auth.header_line()
                    headers[name.encode()] = line
            verify = ssl.create_default_context(cafile=str(config.ca_file)) if config.ca_file else True
        except (OSError, BadSecret) as error:
            raise Retryable(f"sink {self._name}: the secret or certificate cannot be read: {error}") from error
        try:
            self._ledger = ObjectLedger(self._folder)
        except (OSError, sqlite3.Error) as error:
            raise Retryable(f"sink {self._name}: the ledger in {self._folder} cannot be opened: {error}") from error
        self._client = httpx2.AsyncClient(headers=headers, auth=basic, timeout=config.timeout_s, verify=verify)

    async def positions(self) -> Positions | None:
        return None

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Rejected]:
        if self._ledger is None:
            raise Retryable(f"sink {self._name}: not open")
        rejected = []
        sent = False
        for delivery in deliveries:
            for number, mapping in enumerate(self._config.requests):
                if _wanted(mapping, delivery):
                    try:
                        sent |= await self._put(self._ledger, number, mapping, delivery.record)  # type: ignore[arg-type]
                    except _Refused as refused:
                        rejected.append(Rejected(delivery, refused.reason, str(refused)))
                        break  # a record is rejected once, whatever else it was to become
                    except Retryable as error:
                        error.progressed = sent
                        raise
                    except sqlite3.Error as error:
                        raise Retryable(f"sink {self._name}: the ledger cannot be written: {error}", sent) from error
        return rejected

    async def _put(self, ledger: ObjectLedger, number: int, mapping: RequestMapping, record: Derived) -> bool:
        """False when the target has this revision already."""
        natural_id = record.natural_id
        if not _is_text(record.id):
            raise _Refused("unfit", f"{record.id!r}: half of a surrogate pair stands in the id")
        known = ledger.find(number, natural_id)
        remote_id = known.remote_id if known else None
        if known is not None and not known.unclear and known.revision >= record.revision:
            return False
        try:
            values = {**to_plain(record, calendar), "natural_id": natural_id}
        except OverflowError as error:
            raise _Refused("unfit", f"{record.id!r}: a time that no calendar has: {error}") from error
        exists = known is not None and not known.unclear and known.revision >= 0
        if remote_id is None and known is not None and mapping.lookup is not None:
            # Unclear: an attempt whose answer was lost may have made it. Or it exists, and the answer named no id.
            remote_id = await self._find(mapping.lookup, values)
            if remote_id is not None:
                ledger.settle(number, natural_id, remote_id, known.revision)
        if remote_id is None and exists:
            ledger.settle(number, natural_id, None, record.revision)  # made, but not to be found: nothing to update
            return True
        if remote_id is None:
            ledger.intend(number, natural_id)
            try:
                answer = await self._call(mapping.create, values, record.id)
            except _Refused:
                ledger.clear(number, natural_id)
                raise
            ledger.settle(number, natural_id, _dig(answer, mapping.create.id_field), record.revision)
        elif mapping.update is not None:
            # An update sets, it does not add: sent twice it leaves the same object, so it needs no intent.
            await self._call(mapping.update, {**values, "remote_id": remote_id}, record.id)
            ledger.settle(number, natural_id, remote_id, record.revision)
        else:
            ledger.settle(number, natural_id, remote_id, record.revision)
        return True

    async def _find(self, lookup: Lookup, values: dict[str, Any]) -> str | None:
        answer = await self._send("GET", _url(lookup.url, values), None, None)
        items = answer if lookup.items_field is None else _items(answer, lookup.items_field)
        if not isinstance(items, list) or not items:
            return None
        remote_id = _dig(items[0], lookup.id_field)
        if remote_id is None:  # it is there: making it again would be wrong
            raise _Refused("no_id", f"the target has {values['natural_id']}, without {lookup.id_field!r}; check lookup")
        return remote_id

    async def _call(self, call: Call, values: dict[str, Any], key: str) -> Any:
        return await self._send(call.method, _url(call.url, values), fill(call.body, values), key)

    async def _send(self, method: str, url: str, body: Any, key: str | None) -> Any:
        assert self._client is not None
        where = f"{method} {self._config.base_url}{url}"
        # Ids may hold letters that a header may not.
        headers = {"Idempotency-Key": quote(key, safe="/#@:~ ")} if key is not None else {}
        try:
            answer = await self._client.request(method, self._config.base_url + url, json=body, headers=headers)
        except (ValueError, RecursionError, httpx2.InvalidURL) as error:
            raise _Refused("unfit", f"{where}: the request cannot be made: {error}") from error
        except httpx2.LocalProtocolError as error:  # its words may repeat a header, and with it the secret
            raise _Refused("unfit", f"{where}: HTTP cannot say this request") from error
        except httpx2.HTTPError as error:
            raise Retryable(f"sink {self._name}: {where}: {type(error).__name__} {error}") from error
        if answer.status_code >= 500 or answer.status_code in BUSY:
            raise Retryable(f"sink {self._name}: {where}: {answer.status_code} {answer.text[:WORDS_MAX]}")
        if answer.status_code in (401, 403):
            raise Retryable(
                f"sink {self._name}: {where}: {answer.status_code}, the target does not accept us; check auth"
            )
        if answer.status_code < 200 or answer.is_redirect:
            # Followed, a POST would turn into a GET; taken for done, e.g. a login page would swallow every record.
            raise Retryable(
                f"sink {self._name}: {where}: {answer.status_code}, redirected to {answer.headers.get('location')}; check base_url"
            )
        if answer.status_code >= 400:
            raise _Refused(f"http_{answer.status_code}", f"{where}: {answer.text[:WORDS_MAX]}")
        try:
            return answer.json() if answer.content else None
        except (ValueError, RecursionError):
            return None

    async def close(self) -> None:
        client, self._client = self._client, None
        ledger, self._ledger = self._ledger, None
        if client is not None:
            await client.aclose()
        if ledger is not None:
            ledger.close()


def _wanted(mapping: RequestMapping, delivery: Delivery) -> bool:
    record = delivery.record
    if not isinstance(record, mapping.kind):
        return False
    for name, wanted in mapping.when.items():
        value = getattr(record, name)
        if value not in wanted if isinstance(wanted, list) else value != wanted:
            return False
    return True


def _url(template: str, values: dict[str, Any]) -> str:
    try:
        return fill_url(template, values)
    except UnfitValue as error:
        raise _Refused("unfit", str(error)) from error


def _is_text(text: str) -> bool:
    """Whether UTF-8 can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _items(answer: Any, field: str) -> Any:
    for name in field.split("."):
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def _dig(answer: Any, field: str) -> str | None:
    """What stands there as text; None where nothing does, or what no text can hold."""
    value = _items(answer, field)
    return str(value) if value is not None and _is_text(str(value)) else None
