"""What a device refuses as OPC UA status codes, with the words for people. Pure."""

from connectors.kit.polling.quality import (
    BAD_CONFIGURATION_ERROR,
    BAD_DEVICE_FAILURE,
    BAD_NO_COMMUNICATION,
    BAD_NOT_SUPPORTED,
    BAD_RESOURCE_UNAVAILABLE,
)

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
_EXCEPTIONS: dict[int, tuple[int, str]] = {
    ILLEGAL_FUNCTION: (BAD_NOT_SUPPORTED, "ILLEGAL FUNCTION: it does not have this table"),
    ILLEGAL_ADDRESS: (BAD_CONFIGURATION_ERROR, "ILLEGAL DATA ADDRESS: it has nothing there"),
    ILLEGAL_VALUE: (BAD_CONFIGURATION_ERROR, "ILLEGAL DATA VALUE: it does not take this length"),
    4: (BAD_DEVICE_FAILURE, "SERVER DEVICE FAILURE"),
    5: (BAD_RESOURCE_UNAVAILABLE, "ACKNOWLEDGE: it is still at work"),
    6: (BAD_RESOURCE_UNAVAILABLE, "SERVER DEVICE BUSY"),
    8: (BAD_DEVICE_FAILURE, "MEMORY PARITY ERROR"),
    10: (BAD_NO_COMMUNICATION, "GATEWAY PATH UNAVAILABLE"),
    11: (BAD_NO_COMMUNICATION, "GATEWAY TARGET DEVICE FAILED TO RESPOND"),
}
ABSENT = frozenset({10, 11})
"""Exceptions by which a gateway says that the unit behind it is away."""
TOO_MUCH = frozenset({ILLEGAL_ADDRESS, ILLEGAL_VALUE})
"""Exceptions that a part of a block may cause, so that the rest of it is worth asking for."""
LASTING = frozenset({ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE})
"""Exceptions that will most likely be the answer next time, too."""


def of_exception(code: int) -> int:
    """The status code of a Modbus exception; of one that the specification does not know: the device failed."""
    return _EXCEPTIONS.get(code, (BAD_DEVICE_FAILURE, ""))[0]


def words(code: int) -> str:
    """The name of a Modbus exception and what it means."""
    return _EXCEPTIONS.get(code, (0, f"exception {code}"))[1]
