"""What every MQTT client of ours does alike: says who it is, trusts whom it is told to, reads topics."""

import paho.mqtt.client as paho

from topology.endpoint import Login, Trust


def identify(client: paho.Client, login: Login, trust: Trust, tls: bool) -> None:
    """Sets user, password and certificates. Raises `OSError` (an `SSLError` is one) for what cannot be read, `BadSecret`."""
    if login.username is not None:
        client.username_pw_set(login.username, login.secret)
    if tls:
        client.tls_set(ca_certs=str(trust.ca_file) if trust.ca_file else None)


def topic_text(message: paho.MQTTMessage) -> str:
    """The topic as text; one that is no UTF-8, which MQTT forbids, with its bytes written out."""
    try:
        return message.topic
    except UnicodeDecodeError as error:
        return bytes(error.object).decode("utf-8", "backslashreplace")
