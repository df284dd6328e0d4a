"""Serves every screen that is installed on a port, with one OEE in the feed and no broker: `python served.py PORT`."""

import sys
from typing import Never

from schemas.records import Oee
from tests.harness.records import EXAMPLES
from uns.web.app import Site
from uns.web.feed import Feed
from uns.web.namespace import Namespace
from uns.web.screen import pictured, registered
from uns.web.serve import run


def nothing() -> Never:
    raise RuntimeError("no broker in this test")


if __name__ == "__main__":
    screens = pictured(registered(), None)
    feed = Feed([picture.apply for _, picture in screens.values()], nothing, 1.0)
    for record in EXAMPLES:
        if isinstance(record, Oee):
            feed.take(record)
    run(Site(screens, Namespace(), feed, lambda: 0), "127.0.0.1", int(sys.argv[1]))
