"""An ASGI application on a port of 127.0.0.1, in a thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from uns.testing.patience import patient


@contextmanager
def serving(app: Any, port: int) -> Iterator[None]:
    """`app` may be a whole configuration of its own."""
    config = app
    if not isinstance(app, uvicorn.Config):
        config = uvicorn.Config(app, port=port, log_level="critical", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + patient(10)
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
