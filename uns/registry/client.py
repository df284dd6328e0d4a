"""What every part asks the registry for: the schemas behind ids, and ids for what it writes; both cached on disk.

Reading asks with GET alone and changes nothing there. Only a first write registers, and `uns apply`.
"""

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import structlog
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from schemas.catalog import source, subject
from schemas.codec import Codec
from schemas.records import Record
from uns.errors import UserError

log = structlog.get_logger()

TIMEOUT_S = 3.0
RETRY_MS = 200
UNKNOWN_MAX = 1024
"""Ids remembered as unknown."""
UNKNOWN_S = 30.0
"""How long: a schema may be registered after its first record was seen."""
AWAY_S = 10.0
"""A registry that did not answer is not asked again for so long where the cache knows."""
_NO_SUCH = (40401, 40402, 40403)
"""What a registry says when it has looked and has none; any other 404 comes from something that is no registry."""


class RegistryUnavailable(UserError):
    """The registry does not answer and the disk cache does not know; says which registry. Not a verdict on any record."""


class RegistryRefused(UserError):
    """The registry answers and will not take a schema of ours; says why."""


class RegistryClient:
    """One registry, one cache folder. What was learnt once is known without the registry, over restarts too.

    Raises `UserError` for an address that is none. Any thread may call. A call takes at most some seconds, also when nobody answers.
    """

    def __init__(self, url: str, cache_dir: Path) -> None:
        self._place = _place(url)
        try:
            self._client = SchemaRegistryClient(
                {"url": url, "timeout": TIMEOUT_S, "max.retries": 1, "retries.wait.ms": RETRY_MS}
            )
        except ValueError as error:
            raise UserError(f"UNS_REGISTRY is no address of a registry ({error}); write http://host:8081") from error
        self._cache = cache_dir / hashlib.sha256(self._place.encode()).hexdigest()[:12]
        self._unknown: dict[int, float] = {}
        self._away_until = 0.0
        self._warned = False

    def codec(self, expected: Collection[type[Record]] = ()) -> Codec:
        """A codec over this registry. To decode, it asks for schemas by id, with GET. The id of a record that is written
        for the first time is looked up, and registered where the registry has none: then `encode` raises
        `RegistryRefused` when it will not take it.

        `expected`: records that the process is going to read or write. Their ids, and the schemas of all their versions,
        are looked up now, so that an outage later does not matter; nothing is registered by it. Raises `RegistryUnavailable` when neither the registry nor the cache
        answers now; `decode` and `encode` do later, for what neither knows.
        """
        ids: dict[str, int] = {}
        try:
            if not self._knows_it_is_away():
                self._greet()
            for name in (kind.__name__ for kind in expected):
                if (id_ := self._registered_id(name)) is not None:
                    ids[name] = id_
        except RegistryUnavailable:
            cached = {kind.__name__: self._cached_id(kind.__name__) for kind in expected}
            ids = {name: id_ for name, id_ in cached.items() if id_ is not None}
            if not ids and (cached or not any(self._cache.glob("id-*.json"))):
                raise
        return Codec(ids, self.schema, self.id_to_write)

    def schema(self, id_: int) -> str:
        """Schema text of an id. Raises `LookupError` when the registry does not know it, else `RegistryUnavailable`."""
        if self._unknown.get(id_, 0.0) > time.monotonic():
            raise LookupError(f"schema id {id_} is not in the registry")
        key = f"id-{id_}"
        cached = self._read(key)
        if cached is not None and self._knows_it_is_away():
            return cached
        try:
            text = str(self._ask(self._client.get_schema, id_).schema_str)
        except LookupError:
            if len(self._unknown) >= UNKNOWN_MAX:
                self._unknown.clear()
            self._unknown[id_] = time.monotonic() + UNKNOWN_S
            raise LookupError(f"schema id {id_} is not in the registry") from None
        except RegistryUnavailable:
            if cached is None:
                raise
            return cached
        self._learn(key, text)
        return text

    def id_to_write(self, name: str) -> int:
        """The id under which a record of ours is written; registers its schema where the registry has none.

        Raises `RegistryUnavailable` and `RegistryRefused`.
        """
        try:
            if (known := self._registered_id(name)) is not None:
                return known
            id_ = int(self._ask(self._client.register_schema, subject(name), Schema(source(name), "AVRO")))
        except RegistryUnavailable:
            if (cached := self._cached_id(name)) is None:
                raise
            return cached
        except LookupError as error:
            raise RegistryRefused(f"{self._place} does not register {subject(name)}: {error}") from error
        self._learn(_id_key(name), str(id_))
        self._learn(f"id-{id_}", source(name))
        return id_

    def _registered_id(self, name: str) -> int | None:
        """The id of our schema of a record, found with GET alone; all versions of it are learnt on the way."""
        wanted, registered = json.loads(source(name)), None
        try:
            numbers = self._ask(self._client.get_versions, subject(name))
        except LookupError:
            return None
        for number in numbers:
            try:
                version = self._ask(self._client.get_version, subject(name), number)
            except LookupError:  # deleted meanwhile
                continue
            text = str(version.schema.schema_str)
            self._learn(f"id-{version.schema_id}", text)
            if _same(text, wanted):
                registered = int(version.schema_id)
                self._learn(_id_key(name), str(registered))
        return registered

    def _greet(self) -> None:
        """Whether anybody answers there, with GET."""
        with suppress(LookupError):
            self._ask(self._client.get_versions, subject("Samples"))

    def _ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        """The registry's answer. Raises `LookupError` when it has none, `RegistryRefused`, `RegistryUnavailable`."""
        try:
            answer = question(*arguments)
        except Exception as error:
            if _code(error) in _NO_SUCH:
                raise LookupError(str(error)) from error
            if isinstance(error, SchemaRegistryError) and error.http_status_code in (401, 403, 405, 409, 422):
                what = next((argument for argument in arguments if isinstance(argument, str)), "")
                raise RegistryRefused(
                    f"{self._place} refuses {what or 'to answer'}: {error.error_message}; "
                    "`uns apply`, by one who may, registers what is written"
                ) from error
            self._away_until = time.monotonic() + AWAY_S
            self._warn()
            raise self._away(error) from error
        self._away_until = 0.0
        return answer

    def _knows_it_is_away(self) -> bool:
        return time.monotonic() < self._away_until

    def _cached_id(self, name: str) -> int | None:
        cached = self._read(_id_key(name))
        return int(cached) if cached is not None and cached.isdecimal() else None

    def _learn(self, key: str, text: str) -> None:
        """Keeps an answer. A cache that says otherwise is of a registry that began anew at this URL: it goes."""
        cached = self._read(key)
        if cached == text:
            return
        if cached is not None:
            log.warning("registry has other ids than before, cached schemas dropped", url=self._place)
            shutil.rmtree(self._cache, ignore_errors=True)
        self._write(key, text)

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            log.warning("registry does not answer, cached schemas serve", url=self._place)

    def _away(self, error: Exception) -> RegistryUnavailable:
        return RegistryUnavailable(
            f"the schema registry at {self._place} does not answer ({type(error).__name__}: {error}), and {self._cache} does not "
            "hold what is needed; start it, or correct UNS_REGISTRY"
        )

    def _read(self, name: str) -> str | None:
        try:
            return str(json.loads((self._cache / f"{name}.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None

    def _write(self, name: str, text: str) -> None:
        # Whole or not at all: a cache that a crash left half written must not be believed. And no cache, no harm.
        draft = self._cache / f".{name}.{os.getpid()}.{threading.get_ident()}"
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(text), encoding="utf-8")
            draft.replace(self._cache / f"{name}.json")
        except OSError as error:
            log.warning("schema not cached", file=str(self._cache / f"{name}.json"), error=error.strerror)


def _same(text: str, wanted: object) -> bool:
    try:
        return bool(json.loads(text) == wanted)
    except (ValueError, RecursionError):  # a text that is no JSON is none of ours
        return False


def _id_key(name: str) -> str:
    return f"{name}-{hashlib.sha256(source(name).encode()).hexdigest()[:16]}"


def _code(error: Exception) -> int | None:
    return error.error_code if isinstance(error, SchemaRegistryError) else None


def _place(urls: str) -> str:
    """The URL, or several with commas between, without credentials."""
    return ",".join(urlunsplit(urlsplit(url.strip())._replace(netloc=_host(url))) for url in urls.split(","))


def _host(url: str) -> str:
    return urlsplit(url.strip()).netloc.rpartition("@")[2]
