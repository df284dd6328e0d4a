"""The registry's process."""

import os
import signal
import threading
import time

import structlog
import uvicorn
from confluent_kafka import KafkaException

from uns import telemetry
from uns.errors import UserError
from uns.registry.app import create
from uns.registry.log import SchemaLog
from uns.settings import Settings

log = structlog.get_logger()
WATCH_S = 1.0


def serve(settings: Settings, port: int) -> None:
    """Runs until SIGTERM, or until another registry takes the topic over: then it ends, so that one only answers."""
    telemetry.configure_logs(settings)
    schemas = SchemaLog(settings)
    try:
        schemas.open()
    except KafkaException as error:
        raise UserError(f"Kafka at {settings.bootstrap} does not answer: {error.args[0].str()}") from error
    server = uvicorn.Server(
        uvicorn.Config(create(schemas), host=settings.bind, port=port, log_level="warning", lifespan="off")
    )

    def watch() -> None:
        while not schemas.fenced:
            time.sleep(WATCH_S)
        log.error("another registry has taken over; this one ends")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="watch", daemon=True).start()
    try:
        server.run()
    finally:
        schemas.close()
