"""What every part asks the registry for: the ids of our records and the schemas behind foreign ids, cached on disk."""

import hashlib
import json
import os
import shutil
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import structlog
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from schemas.catalog import source, subject
from schemas.codec import Codec
from schemas.records import TYPES
from uns.errors import UserError

log = structlog.get_logger()

TIMEOUT_S = 3.0
RETRY_MS = 200
UNKNOWN_MAX = 1024
"""Ids remembered as unknown."""
UNKNOWN_S = 30.0
"""How long: a schema may be registered after its first record was seen."""
_NO_SUCH = (40401, 40402, 40403)
"""What a registry says when it has looked and has none; any other 404 comes from something that is no registry."""


class RegistryUnavailable(RuntimeError):
    """The registry does not answer and the disk cache does not know; says which registry. Not a verdict on any record."""


class RegistryRefused(UserError):
    """The registry answers and will not take a schema of ours; says why."""


class Registry:
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
        self._warned = False

    def codec(self, register: bool = True) -> Codec:
        """A codec with the ids of all our records: the registry's, else the cached ones.

        Raises `RegistryUnavailable` when neither has them, `RegistryRefused` when the registry will not take one, and
        `LookupError` for a record that is not registered when `register` is false.
        """
        try:
            ids = {name: self._ask_id(name, register) for name in TYPES}
        except RegistryUnavailable:
            cached = {name: self._cached_id(name) for name in TYPES}
            known = {name: id_ for name, id_ in cached.items() if id_ is not None}
            if len(known) < len(cached):
                raise
            self._warn()
            return Codec(known, self.schema)
        self._remember(ids)
        return Codec(ids, self.schema)

    def schema(self, id_: int) -> str:
        """Schema text of an id. Raises `LookupError` when the registry does not know it, else `RegistryUnavailable`."""
        if self._unknown.get(id_, 0.0) > time.monotonic():
            raise LookupError(f"schema id {id_} is not in the registry")
        cached = self._read(f"id-{id_}")
        if cached is not None:
            return cached
        try:
            text = str(self._client.get_schema(id_).schema_str)
        except Exception as error:
            if _code(error) in _NO_SUCH:
                if len(self._unknown) >= UNKNOWN_MAX:
                    self._unknown.clear()
                self._unknown[id_] = time.monotonic() + UNKNOWN_S
                raise LookupError(f"schema id {id_} is not in the registry") from error
            self._warn()
            raise self._away(error) from error
        self._write(f"id-{id_}", text)
        return text

    def _ask_id(self, name: str, register: bool) -> int:
        schema = Schema(source(name), "AVRO")
        try:
            if register:
                return int(self._client.register_schema(subject(name), schema))
            return int(self._client.lookup_schema(subject(name), schema).schema_id)
        except Exception as error:
            if _code(error) in _NO_SUCH:
                raise LookupError(f"{subject(name)} is not registered; `uns apply` does it") from error
            if isinstance(error, SchemaRegistryError) and error.http_status_code in (401, 403, 409, 422):
                raise RegistryRefused(f"{self._place} refuses {subject(name)}: {error.error_message}") from error
            raise self._away(error) from error

    def _cached_id(self, name: str) -> int | None:
        cached = self._read(_id_key(name))
        return int(cached) if cached is not None and cached.isdecimal() else None

    def _remember(self, ids: dict[str, int]) -> None:
        """Keeps ids and texts. A cache that says otherwise is of a registry that began anew at this URL: it goes."""
        cached = {name: self._cached_id(name) for name in ids}
        if any(cached[name] not in (None, id_) for name, id_ in ids.items()):
            log.warning("registry has other ids than before, cached schemas dropped", url=self._place)
            shutil.rmtree(self._cache, ignore_errors=True)
        elif cached == ids:
            return
        for name, id_ in ids.items():
            self._write(f"id-{id_}", source(name))
            self._write(_id_key(name), str(id_))

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


def _id_key(name: str) -> str:
    return f"{name}-{hashlib.sha256(source(name).encode()).hexdigest()[:16]}"


def _code(error: Exception) -> int | None:
    return error.error_code if isinstance(error, SchemaRegistryError) else None


def _place(urls: str) -> str:
    """The URL, or several with commas between, without credentials."""
    return ",".join(urlunsplit(urlsplit(url.strip())._replace(netloc=_host(url))) for url in urls.split(","))


def _host(url: str) -> str:
    return urlsplit(url.strip()).netloc.rpartition("@")[2]
