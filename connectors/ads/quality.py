"""What a controller or a router refuses, as OPC UA status codes, with the words for people. Pure.

Source of the codes: Beckhoff Information System, *ADS Return Codes*.
"""

from connectors.kit.polling.groups import Refusal
from connectors.kit.polling.quality import (
    BAD_CONFIGURATION_ERROR,
    BAD_DEVICE_FAILURE,
    BAD_NO_COMMUNICATION,
    BAD_NOT_SUPPORTED,
    BAD_RESOURCE_UNAVAILABLE,
    BAD_USER_ACCESS_DENIED,
)

PORT_NOT_FOUND = 0x06
TIMEOUT = 0x745
LOST = frozenset({-1, 0x07, 0x0D, 0x1A, 0x1B, 0x748})
"""Of our side: nothing can be sent to it any more."""
STALE = frozenset({0x702, 0x703, 0x705, 0x710, 0x711, 0x714, 0x722})
"""A handle that was good: the program was changed online or loaded anew, and the variable is to be looked up again."""
NOT_FOUND = 0x710
RUN, CONFIG = 5, 15
_STATES = {0: "INVALID", 1: "IDLE", 2: "RESET", 3: "INIT", 4: "START", 6: "STOP", 10: "ERROR", 15: "CONFIG"}

_CHANGED = Refusal(BAD_RESOURCE_UNAVAILABLE, "the program is being changed", lasting=False)
_CODES = {
    PORT_NOT_FOUND: Refusal(BAD_NO_COMMUNICATION, "nothing answers on its AMS port", lasting=False),
    0x12: Refusal(BAD_NO_COMMUNICATION, "its AMS port is disabled", lasting=False),
    0x1E: Refusal(BAD_USER_ACCESS_DENIED, "it allows secure ADS only, which this does not speak"),
    0x701: Refusal(BAD_NOT_SUPPORTED, "it does not know the service; sums of requests take TwinCAT 2.11 or later"),
    0x702: _CHANGED,
    0x703: _CHANGED,
    0x704: Refusal(BAD_USER_ACCESS_DENIED, "reading is not permitted"),
    0x705: Refusal(BAD_NOT_SUPPORTED, "it has another size than its symbol says"),
    0x706: Refusal(BAD_CONFIGURATION_ERROR, "a value of the request is not valid"),
    0x707: Refusal(BAD_RESOURCE_UNAVAILABLE, "it is not ready", lasting=False),
    0x708: Refusal(BAD_RESOURCE_UNAVAILABLE, "it is busy", lasting=False),
    0x70A: Refusal(BAD_RESOURCE_UNAVAILABLE, "it is out of memory", lasting=False),
    NOT_FOUND: Refusal(
        BAD_CONFIGURATION_ERROR,
        "there is no such variable; is its name right with its program or list (MAIN.nCount, GVL.fSpeed), is the AMS port "
        "that of its program, is the program loaded?",
    ),
    0x711: _CHANGED,
    0x712: Refusal(BAD_RESOURCE_UNAVAILABLE, "its state forbids it", lasting=False),
    0x714: _CHANGED,
    0x719: Refusal(BAD_RESOURCE_UNAVAILABLE, "it took too long for itself", lasting=False),
    0x721: Refusal(BAD_CONFIGURATION_ERROR, "there is no such element"),
    0x722: _CHANGED,
    0x723: Refusal(BAD_USER_ACCESS_DENIED, "access is denied"),
    0x724: Refusal(BAD_RESOURCE_UNAVAILABLE, "it has no licence for that; has a trial licence run out?"),
}


def of_code(code: int) -> Refusal:
    """What an error means; one that we do not know: the controller failed."""
    return _CODES.get(code) or Refusal(BAD_DEVICE_FAILURE, f"error 0x{code & 0xFFFFFFFF:X}", lasting=False)


def not_there(port: int, system: int | None) -> str:
    """Words for a port that nobody has; `system`: the state of TwinCAT itself, where it says one."""
    why = (
        "TwinCAT is in config mode: start it in run mode"
        if system == CONFIG
        else "is TwinCAT in run mode, is the program loaded, is the port right (851 the first of TwinCAT 3, 801 of TwinCAT 2)?"
    )
    return f"nothing answers on AMS port {port}; {why}"


def stopped(port: int, state: int) -> str:
    """Words for a program that does not run."""
    return f"the program on AMS port {port} is in {_STATES.get(state, f'state {state}')}: its values are the last ones"
