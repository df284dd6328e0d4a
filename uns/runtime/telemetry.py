"""What a process tells about itself: logs, /metrics, /health/live and /health/ready."""

import json
import logging
import re
import socketserver
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app

from uns.runtime.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Check = Callable[[], Sequence[str]]
"""Returns the reasons why not, one short sentence each; none means all is well."""

About = Callable[[], Mapping[str, Any]]
"""Returns what else a health check answers."""

_SECRET_KEY = re.compile(r"(?i)pass(word|wd|phrase)?$|secret|token|api_?key|authorization|credential")
_SECRET_URL = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+(?=@)")
_SECRET_DSN = re.compile(r"(?i)(\bpassword\s*=\s*)('[^']*'|\S+)")
MASK = "***"

TOO_LOUD = {
    # At every open it warns that the server chose its own session time-out and keep-alive, which is the server's right.
    "asyncua.client.client": logging.ERROR,
    # It writes whole addresses; one that is signed is a secret.
    "httpx2": logging.WARNING,
}
"""Loggers of libraries that say more than they should. Set when a process configures its logs: who imports us keeps his own."""


def configure_logs(settings: Settings) -> None:
    """Logs of this process to stderr: coloured lines at a terminal, else one JSON object a line.

    Ours from `settings.log_level`; those of libraries (stdlib logging) at warning, info when ours is debug, through
    the same pipeline. Passwords are masked, by key and inside URLs and DSNs.
    """
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    console = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    )
    structlog.configure(
        processors=[*shared, masked, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, masked, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO if level <= logging.DEBUG else max(level, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "faust", "mode", "asyncua"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(logging.NOTSET)
    for name, limit in TOO_LOUD.items():
        logging.getLogger(name).setLevel(limit)
    logging.captureWarnings(True)


def quiet() -> None:
    """For a command that tells its user itself what happens: only what it did not expect is logged."""
    from uns.runtime.settings import settings

    given = settings()
    configure_logs(given if given.log_level == "debug" else given.model_copy(update={"log_level": "critical"}))


def masked(logger: Any, method: str, event: Any) -> Any:
    """A structlog processor that keeps secrets out of every log line."""
    return {key: MASK if _SECRET_KEY.search(key) and value else _mask(value) for key, value in event.items()}


def _mask(value: Any) -> Any:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        return masked(None, "", value)
    if isinstance(value, list | tuple):
        return [_mask(item) for item in value]
    return value


def mask_text(text: str) -> str:
    """A URL or connection string that may be shown."""
    return _SECRET_DSN.sub(rf"\1{MASK}", _SECRET_URL.sub(rf"\1:{MASK}", text))


def serve(
    bind: str = "127.0.0.1",
    port: int = 0,
    live: Check = lambda: (),
    ready: Check = lambda: (),
    registry: CollectorRegistry = REGISTRY,
    about: About = dict,
) -> str:
    """Serves `/metrics`, `/health/live` and `/health/ready` from a daemon thread; returns `http://host:port`.

    Health answers 200 with `{"status": "ok"}`, or 503 with `{"status": "unavailable", "reasons": [...]}`; `ready` with what
    `about` says beside it. `live` must not look at the broker or any other service: a restart would not mend it, and all would restart at once.
    Port 0 takes a free one. Raises `OSError` when the port is taken.
    """
    server = make_server(bind, port, _application(live, ready, registry, about), _Server, _Handler)
    threading.Thread(target=server.serve_forever, name="telemetry", daemon=True).start()
    return f"http://{bind}:{server.server_port}"


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = True

    def server_bind(self) -> None:
        # WSGIServer's own looks up the host's name, which may take seconds where DNS is slow.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    timeout = 10  # seconds; a client that says nothing does not hold a thread for ever

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it)
        """Scrapes are not events."""


def _application(live: Check, ready: Check, registry: CollectorRegistry, about: About) -> Any:
    metrics = make_wsgi_app(registry)
    checks: dict[str, tuple[Check, About]] = {"/health/live": (live, dict), "/health/ready": (ready, about)}

    def application(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path == "/metrics":
            return metrics(environ, start)  # type: ignore[no-any-return]
        if path in checks:
            return _answer(start, *_health(*checks[path]))
        return _answer(start, "404 Not Found", {"paths": ["/metrics", *checks]})

    return application


def _health(check: Check, about: About) -> tuple[str, dict[str, Any]]:
    known: dict[str, Any] = {}
    try:
        reasons = [mask_text(reason) for reason in check()]
        known = dict(about())
    except Exception as error:  # a check that breaks is a reason, not a broken answer
        reasons = [f"the check failed: {type(error).__name__}: {mask_text(str(error))}"]
    if reasons:
        return "503 Service Unavailable", {"status": "unavailable", "reasons": reasons, **known}
    return "200 OK", {"status": "ok", **known}


def _answer(start: "StartResponse", status: str, body: dict[str, Any]) -> list[bytes]:
    payload = json.dumps(body).encode()
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(payload)))])
    return [payload]
