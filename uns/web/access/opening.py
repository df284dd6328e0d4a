"""Whether the page may begin to listen: beyond this machine only with users, or when somebody says so in full words. Pure."""

import ipaddress

from uns.errors import UserError

FLAG = "--anyone-on-the-network-may-act"


def is_loopback(address: str) -> bool:
    """Whether an address or name to listen on is this machine's own and no other's."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def check(bind: str, users: bool, said: bool) -> None:
    """Raises `UserError` where anybody on the network could act in anybody's name. `said`: the flag was given."""
    if users or said or is_loopback(bind):
        return
    raise UserError(
        f"the page would listen on {bind}, and there are no users: anybody on the network could give reasons, book scrap and "
        f"shelve alarms. Add users (`uns users add NAME --role operator`), or listen on 127.0.0.1, or say {FLAG}"
    )
