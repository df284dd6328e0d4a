"""What a source has, for whoever sets it up: within a time, up to a number, and told as it is found. Nothing is published."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from fnmatch import fnmatchcase
from typing import Any

from connectors.base import ConnectorConfig, ConnectorSpec, Found, LeftOut, SourceUnavailable
from uns.errors import UserError


def browse(
    spec: ConnectorSpec[Any],
    config: ConnectorConfig,
    filters: Sequence[str],
    most: int,
    wait_s: float,
    tell: Callable[[Found], None],
) -> list[str]:
    """Tells what fits one of the filters (all, without any); returns what was left out, a sentence each. Raises `UserError`
    where the source is away or cannot say what it has."""
    try:
        return asyncio.run(_browse(spec, config, filters, most, wait_s, tell))
    except SourceUnavailable as error:
        raise UserError(str(error)) from error


async def _browse(
    spec: ConnectorSpec[Any],
    config: ConnectorConfig,
    filters: Sequence[str],
    most: int,
    wait_s: float,
    tell: Callable[[Found], None],
) -> list[str]:
    if spec.browse is None:
        raise UserError("its sources have no list of what they say; write it down as its sample.yaml shows")
    left_out: list[str] = []
    told = unwanted = 0
    stream = spec.browse(config)
    async with aclosing(stream):  # type: ignore[type-var]
        try:
            async with asyncio.timeout(wait_s):
                async for one in stream:
                    if isinstance(one, LeftOut):
                        left_out.append(one.what)
                    elif not fits(one, filters):
                        unwanted += 1
                    elif told == most:
                        left_out.append(f"there are more than {most}: narrow it by --filter, or raise --most")
                        break
                    else:
                        tell(one)
                        told += 1
        except TimeoutError:
            left_out.append(f"not all was looked at in {wait_s:g} s: raise --wait-s")
    if unwanted:
        left_out.append(f"{unwanted} fit no --filter")
    return left_out


def fits(found: Found, filters: Sequence[str]) -> bool:
    """Whether a filter matches its machine and tag, joined by a dot, whatever their case."""
    name = f"{found.machine}.{found.tag}" if found.machine else found.tag
    return not filters or any(fnmatchcase(name.lower(), one.lower()) for one in filters)
