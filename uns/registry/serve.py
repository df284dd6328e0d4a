"""The registry's process."""

import socket
import threading

import structlog
import uvicorn
from confluent_kafka import KafkaException

from uns.errors import UserError
from uns.registry.app import create
from uns.registry.log import TOPIC, SchemaLog
from uns.runtime import stopping, telemetry
from uns.runtime.settings import Settings

log = structlog.get_logger()
WATCH_S = 1.0


def serve(settings: Settings, port: int, topic: str = TOPIC) -> None:
    """Runs until SIGTERM, or until another registry takes the topic over: then it ends, so that one only answers."""
    telemetry.configure_logs(settings)
    stopping.end_in_order()
    # The port first: a registry started twice by mistake must fail here, before it fences the one that serves.
    with _listen(settings.bind, port) as listener:
        schemas = SchemaLog(settings, topic)
        try:
            schemas.open()
        except KafkaException as error:
            raise UserError(f"Kafka at {settings.bootstrap} does not answer: {error.args[0].str()}") from error
        telemetry.serve(
            settings.bind, settings.metrics_port, ready=lambda: (schemas.problem,) if schemas.problem else ()
        )
        server = uvicorn.Server(uvicorn.Config(create(schemas), log_level="warning", lifespan="off"))
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(WATCH_S):
                if schemas.fenced:
                    server.should_exit = True

        watcher = threading.Thread(target=watch, name="watch", daemon=True)
        watcher.start()
        try:
            server.run(sockets=[listener])
        finally:
            ended.set()
            schemas.close()
    if schemas.fenced:
        raise UserError(f"{schemas.problem}; this registry has ended. Run one registry per cluster")


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise UserError(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port") from error
