"""Where the services are for a command typed beside a running `uns demo`: the environment first, then what runs here."""

from collections.abc import Collection

from schemas.codec import Codec
from schemas.records import Record
from uns.errors import UserError
from uns.registry.client import RegistryClient
from uns.runtime.running import effective_settings
from uns.runtime.settings import Settings


def connection() -> Settings:
    """Settings with addresses. Raises `UserError` when neither the environment nor a running demo names a broker."""
    settings = effective_settings()
    if settings.bootstrap is None:
        raise UserError("no Kafka: set UNS_BOOTSTRAP (and UNS_REGISTRY), or start `uns demo` in another terminal")
    return settings


def codec(settings: Settings, expected: Collection[type[Record]] = ()) -> Codec:
    """The codec over the registry; works from the disk cache while the registry is away.

    It only reads there, until a record is written whose schema nobody has registered. `expected`: what this process is
    going to read or write, looked up now so that an outage later does not matter. Raises `UserError` without either.
    """
    if settings.registry is None:
        raise UserError("no schema registry: set UNS_REGISTRY")
    return RegistryClient(settings.registry, settings.state_dir / "schemas").codec(expected)
