"""Serves every screen that is installed on a port, with one OEE in the feed and no broker: `python served.py PORT`."""

import sys
from typing import Never

from schemas.records import Fact, Oee
from tests.harness.records import EXAMPLES
from uns.web.feed import Feed
from uns.web.namespace import Namespace
from uns.web.page import serve
from uns.web.screen import registered


def nothing() -> Never:
    raise RuntimeError("no broker in this test")


async def tell(path: str, fact: Fact) -> str | None:
    return None


if __name__ in {"__main__", "__mp_main__"}:
    screens = {name: (spec, spec.picture(None)) for name, spec in registered().items()}
    feed = Feed([picture.apply for _, picture in screens.values()], nothing, 1.0)
    for record in EXAMPLES:
        if isinstance(record, Oee):
            feed.take(record)
    serve(screens, Namespace(), feed, tell, lambda: 0, "127.0.0.1", int(sys.argv[1]))
