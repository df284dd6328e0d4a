"""The status server's process."""

import socket
from pathlib import Path

import uvicorn

from topology.model.plant import Plant
from uns.errors import UserError
from uns.runners.connect.app import Workers, create
from uns.runners.connect.status import parts
from uns.runtime import stopping, telemetry
from uns.runtime.access import Access, loopback
from uns.runtime.settings import Settings


def serve(settings: Settings, plant: Plant, port: int, access: Access, state_dirs: list[Path]) -> None:
    """Runs until SIGTERM; asks Kafka nothing. Raises `UserError`."""
    if not access.required and not loopback(settings.bind):
        raise UserError(
            f"without credentials it listens on this machine only, not on {settings.bind}; give --credentials"
        )
    telemetry.configure_logs(settings)
    stopping.end_in_order()
    try:
        listener = socket.create_server((settings.bind, port))
    except OSError as error:
        raise UserError(
            f"cannot listen on {settings.bind}:{port}: {error.strerror}; choose another with --port"
        ) from error
    telemetry.serve(settings.bind, settings.metrics_port)
    app = create(Workers(parts(plant), state_dirs, str(plant.enterprise)), access)
    config = uvicorn.Config(app, log_level="warning", lifespan="off", ws="none", access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[listener])
