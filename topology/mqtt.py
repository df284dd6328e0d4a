"""What every MQTT client of ours does alike: says who it is, trusts whom it is told to, reads topics and reasons."""

import ssl
from datetime import datetime, timedelta
from pathlib import Path as FilePath
from typing import Literal

import paho.mqtt.client as paho
from cryptography import x509
from paho.mqtt.reasoncodes import ReasonCode

from topology.broker import Address, Reach

RENEW = timedelta(days=21)
"""How long before its end a certificate of ours is complained of."""
_ADVICE = {
    "Unsupported protocol version": "set `version` to what it speaks",
    "Client identifier not valid": "check client_id",
    "Bad user name or password": "check user and password",
    "Not authorized": "may this user do that, with this client id?",
    "Banned": "the broker has shut this client out",
    "Session taken over": "a second client uses this client_id",
    "Keep alive timeout": "it heard nothing of us for 1.5 × keep_alive_s",
    "Topic filter invalid": "the broker does not take this filter",
    "Receive maximum exceeded": "lower `receive_max`",
    "Packet too large": "a message is larger than it takes",
    "Quota exceeded": "raise its limits for this client",
    "Shared subscriptions not supported": "name the topic without $share",
    "Wildcard subscriptions not supported": "name the topics one by one",
    "Use another server": "set `broker` to the one that it means",
    "Server moved": "set `broker` to its new address",
}


def transport(url: str) -> Literal["tcp", "websockets"]:
    """paho's word for what carries MQTT to an address."""
    return "tcp" if Address.of(url).path is None else "websockets"


def identify(client: paho.Client, reach: Reach, url: str, now: datetime) -> None:
    """Sets user, password, certificates and headers. Raises `OSError` (an `SSLError` is one) for what cannot be read, or has
    ended, and `BadSecret`."""
    parts = Address.of(url)
    if reach.username is not None:
        client.username_pw_set(reach.username, reach.secret)
    if parts.tls:
        context = ssl.create_default_context(cafile=str(reach.ca_file) if reach.ca_file else None)
        if reach.certificate_file is not None:
            if (ends := certificate_end(reach.certificate_file)) < now:
                raise OSError(f"{reach.certificate_file} has ended on {ends:%Y-%m-%d}; renew it")
            context.load_cert_chain(reach.certificate_file, reach.key_file, password=_no_password)
        client.tls_set_context(context)
    if parts.path is not None:
        headers = {name: value.get_secret_value() for name, value in reach.headers.items()}
        client.ws_set_options(parts.path, headers)


def _no_password() -> str:
    """In place of OpenSSL's question at the terminal, which a service would wait at for ever."""
    raise ssl.SSLError("the key has a password; write it without one into a file that only this service reads")


def certificate_end(file: FilePath) -> datetime:
    """When a certificate ends. Raises `OSError`."""
    try:
        return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    except ValueError as error:
        raise OSError(f"{file} is no certificate (PEM): {error}") from None


def renewal(reach: Reach, now: datetime) -> str | None:
    """What there is to say of our certificate, if it ends soon."""
    if reach.certificate_file is None:
        return None
    try:
        ends = certificate_end(reach.certificate_file)
    except OSError as error:
        return f"{reach.certificate_file} cannot be read any more: {error}"
    return f"{reach.certificate_file} ends on {ends:%Y-%m-%d}; renew it" if ends < now + RENEW else None


def in_words(reason: ReasonCode | str) -> str:
    """A reason of the broker, and what to do."""
    advice = _ADVICE.get(str(reason))
    return f"{reason} ({advice})" if advice else str(reason)


def end_in_words(flags: paho.DisconnectFlags, reason: ReasonCode) -> str:
    """How a link ended that stood: by the broker's word, which MQTT 5 alone has, or without one."""
    if flags.is_disconnect_packet_from_server:
        return in_words(reason)
    if str(reason) == "Keep alive timeout":
        return "the broker left a ping unanswered"
    return "closed without a word; is the broker up, does a second client use this client_id?"


def topic_text(message: paho.MQTTMessage) -> str:
    """The topic as text; one that is no UTF-8, which MQTT forbids, with its bytes written out."""
    try:
        return message.topic
    except UnicodeDecodeError as error:
        return bytes(error.object).decode("utf-8", "backslashreplace")
