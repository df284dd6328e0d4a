"""What a controller refuses, as OPC UA status codes, with the words for people. Pure."""

from connectors.ethernetip.answer import Reply
from connectors.ethernetip.codec import STRING_HANDLE, STRUCTURE
from connectors.ethernetip.wanted import Wanted
from connectors.kit.polling.groups import Refusal
from connectors.kit.polling.quality import (
    BAD_CONFIGURATION_ERROR,
    BAD_DEVICE_FAILURE,
    BAD_NOT_SUPPORTED,
    BAD_RESOURCE_UNAVAILABLE,
    BAD_USER_ACCESS_DENIED,
)

_BEYOND = Refusal(BAD_CONFIGURATION_ERROR, "it is beyond the end of the array")
_TOO_MUCH = Refusal(BAD_NOT_SUPPORTED, "it does not fit an answer; say a smaller `count`")
_GENERAL = {
    0x02: Refusal(BAD_RESOURCE_UNAVAILABLE, "the controller is short of resources", lasting=False),
    0x03: Refusal(BAD_CONFIGURATION_ERROR, "a value is not allowed"),
    0x04: Refusal(
        BAD_CONFIGURATION_ERROR, "there is no such tag; is its name right, its program said (Program:NAME.TAG)?"
    ),
    0x05: Refusal(
        BAD_CONFIGURATION_ERROR,
        "there is no such tag; is its name right, its program said (Program:NAME.TAG), its external access not None?",
    ),
    0x06: _TOO_MUCH,
    0x08: Refusal(BAD_NOT_SUPPORTED, "the service is not supported; is it a Logix controller?"),
    0x0F: Refusal(BAD_USER_ACCESS_DENIED, "access is not allowed; is its external access not None?"),
    0x10: Refusal(BAD_RESOURCE_UNAVAILABLE, "the controller is in a state that forbids it", lasting=False),
    0x11: _TOO_MUCH,
    0x13: Refusal(BAD_DEVICE_FAILURE, "the controller did not get all of the request", lasting=False),
    0x26: Refusal(BAD_CONFIGURATION_ERROR, "its name is no path"),
}
_EXTENDED = {
    0x2104: _BEYOND,
    0x2105: _BEYOND,
    0x2107: Refusal(BAD_CONFIGURATION_ERROR, "it is of another type"),
}
_A_STRUCTURE = Refusal(
    BAD_NOT_SUPPORTED, "it is a structure: say `members: true`, or `text: true` where it stands for a text"
)


def of_status(status: int, extended: int = 0) -> Refusal:
    """What a status means; one that we do not know: the controller failed."""
    if status == 0xFF and extended in _EXTENDED:
        return _EXTENDED[extended]
    known = _GENERAL.get(status)
    return known or Refusal(BAD_DEVICE_FAILURE, f"status 0x{status:02X}, extended 0x{extended:04X}", lasting=False)


def judged(wanted: Wanted, reply: Reply) -> bytes | Refusal:
    """The bytes of a value, or why there are none."""
    if reply.status:
        return of_status(reply.status, reply.extended)
    structure = int.from_bytes(reply.data[:2], "little") == STRUCTURE
    if structure and not wanted.text and int.from_bytes(reply.data[2:4], "little") != STRING_HANDLE:
        return _A_STRUCTURE
    return reply.data
