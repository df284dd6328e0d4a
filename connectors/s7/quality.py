"""What a controller refuses, as OPC UA status codes, with the words for people. Pure."""

from connectors.kit.polling.groups import Refusal
from connectors.kit.polling.quality import (
    BAD_CONFIGURATION_ERROR,
    BAD_DEVICE_FAILURE,
    BAD_NOT_SUPPORTED,
    BAD_RESOURCE_UNAVAILABLE,
    BAD_USER_ACCESS_DENIED,
)

_OPTIMIZED = "S7-1200 and 1500 have addresses only in blocks without 'optimized block access' (properties of the block, attributes)"
_PUT_GET = (
    "S7-1200 and 1500 allow this only with 'permit access with PUT/GET communication from remote partner' "
    "(properties of the CPU, protection & security)"
)
_ITEMS = {
    0x01: Refusal(BAD_DEVICE_FAILURE, "hardware error", lasting=False),
    0x03: Refusal(BAD_USER_ACCESS_DENIED, f"access is not allowed; {_PUT_GET}, and: {_OPTIMIZED}"),
    0x05: Refusal(
        BAD_CONFIGURATION_ERROR,
        f"it has nothing there, the address is beyond the end; {_OPTIMIZED}",
        divisible=True,
    ),
    0x06: Refusal(BAD_NOT_SUPPORTED, "it does not support this type"),
    0x07: Refusal(BAD_NOT_SUPPORTED, "it does not support this type here"),
    0x0A: Refusal(BAD_CONFIGURATION_ERROR, f"there is no such block; is its number right, is it loaded? {_OPTIMIZED}"),
}
_WHOLE = {
    0x8104: Refusal(BAD_USER_ACCESS_DENIED, f"the function is not there or not allowed; {_PUT_GET}"),
    0x8304: Refusal(BAD_USER_ACCESS_DENIED, f"the function is not allowed; {_PUT_GET}"),
    0x8500: Refusal(BAD_NOT_SUPPORTED, "it does not take a request of this size"),
    0xD241: Refusal(BAD_USER_ACCESS_DENIED, f"the protection level forbids it; {_PUT_GET}"),
}


def of_item(code: int) -> Refusal:
    """What the return code of one block means; one that the protocol does not know: the controller failed."""
    return _ITEMS.get(code) or Refusal(BAD_DEVICE_FAILURE, f"return code 0x{code:02X}", lasting=False)


def of_request(code: int) -> Refusal:
    """The same of the error in the header of an answer."""
    return _WHOLE.get(code) or Refusal(BAD_RESOURCE_UNAVAILABLE, f"error 0x{code:04X}", lasting=False)


def too_long(needed: int, room: int) -> Refusal:
    """A text that no answer can hold."""
    return Refusal(BAD_NOT_SUPPORTED, f"its {needed} bytes do not come in one answer of {room}; say a smaller `length`")
