"""SIGTERM for a process whose server is uvicorn's."""

import signal
import sys
from typing import NoReturn


def end_in_order() -> None:
    """Has SIGTERM end the process with code 0, and all that is to be closed closed: uvicorn ends its server, and then raises
    the signal once more, which would end the process where it stands. Call it in the main thread."""
    signal.signal(signal.SIGTERM, _end)


def _end(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)
