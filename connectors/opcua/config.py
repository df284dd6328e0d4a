"""Options of the OPC UA connector."""

from pathlib import Path as FilePath
from typing import Literal

from pydantic import Field, field_validator, model_validator

from connectors.base import ConnectorConfig
from connectors.kit.levels import PathText
from connectors.opcua.address import checked
from topology.endpoint import Login, address
from topology.namespace.path import Path


class Machine(ConnectorConfig):
    """One machine: the variables below a node, or the ones listed."""

    path: PathText = Field(
        description="path of the machine in the namespace", examples=["acme/dallas/packaging/line-1/filler"]
    )
    node: str | None = Field(
        None,
        description="node id; the variables below it become tags, by browse name",
        examples=["nsu=urn:maker:line;s=filler", "ns=2;s=filler", "i=85"],
    )
    tags: dict[str, str] = Field(
        default_factory=dict, description="tag → node id, for variables anywhere; goes before `node`"
    )
    alarms: str | None = Field(
        None,
        description="node id of the notifier whose alarms and conditions are read: one of the machine's own, or i=2253, the "
        "server, for all that it has",
        examples=["i=2253"],
    )
    alarm_sources: tuple[str, ...] = Field(
        (),
        description="which of them are this machine's, by the name of their source; * is any text, ? one character. Empty: all",
        examples=[["Filler*"]],
    )

    @field_validator("node", "alarms")
    @classmethod
    def _node(cls, text: str | None) -> str | None:
        return None if text is None else checked(text)

    @field_validator("tags")
    @classmethod
    def _tags(cls, tags: dict[str, str]) -> dict[str, str]:
        return {tag: checked(text) for tag, text in tags.items()}

    @model_validator(mode="after")
    def _something(self) -> "Machine":
        if self.node is None and not self.tags and self.alarms is None:
            raise ValueError(f"{self.path}: give `node`, list `tags`, or name the notifier of its `alarms`")
        if self.alarm_sources and self.alarms is None:
            raise ValueError(f"{self.path}: `alarm_sources` chooses among `alarms`, and there are none")
        return self

    @property
    def location(self) -> Path:
        return Path.parse(self.path)


class OpcUaConfig(Login, ConnectorConfig):
    """One server."""

    url: str = Field(description="endpoint, opc.tcp://host:port/path", examples=["opc.tcp://10.0.0.7:4840"])
    publish_interval_ms: float = Field(250.0, ge=10, description="how often the server sends what has changed")
    sampling_interval_ms: float = Field(
        0.0, ge=0, description="how often the server looks at a variable; 0: as fast as it can"
    )
    poll_interval_ms: float = Field(
        1000.0, ge=10, description="how often a variable is read that the server does not let be watched"
    )
    queue_size: int = Field(1000, ge=1, description="changes of one variable that the server keeps between two sends")
    timeout_s: float = Field(5.0, gt=0, description="longest wait for any answer")
    history: bool = Field(True, description="fill gaps from the server's history where it has one")
    history_max: int = Field(100_000, ge=1, description="values read from the history of one variable at most")
    session_timeout_s: float = Field(
        30.0, ge=5, description="how long the server keeps our session, should we die; some allow only a few sessions"
    )
    security_policy: Literal["None", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"] = Field(
        "None", description="security policy"
    )
    security_mode: Literal["Sign", "SignAndEncrypt"] = Field(
        "SignAndEncrypt", description="message security mode, with a policy"
    )
    certificate: FilePath | None = Field(
        None,
        description="our certificate (DER or PEM, `uns certs opcua` makes one), with a policy",
        examples=["/etc/uns/opcua.der"],
    )
    private_key: FilePath | None = Field(None, description="its key", examples=["/run/secrets/opcua.pem"])
    server_certificate: FilePath | None = Field(
        None, description="the server's certificate, so that no other is believed", examples=["/etc/uns/server.der"]
    )
    user_certificate: FilePath | None = Field(
        None,
        description="certificate (DER or PEM) that is our user, in place of a name",
        examples=["/etc/uns/user.der"],
    )
    user_key: FilePath | None = Field(None, description="its key", examples=["/run/secrets/user.pem"])
    alarm_fault_severity: int = Field(
        667, ge=1, le=1000, description="an active alarm is a FAULT from this severity on, below it a WARNING"
    )
    machines: tuple[Machine, ...] = Field(min_length=1, description="what is read")

    @field_validator("url")
    @classmethod
    def _url(cls, text: str) -> str:
        return address(text, ("opc.tcp",), "opc.tcp://host:4840")

    @model_validator(mode="after")
    def _secure(self) -> "OpcUaConfig":
        if self.security_policy != "None" and not (self.certificate and self.private_key):
            raise ValueError(f"security_policy {self.security_policy} needs certificate and private_key")
        if (self.user_certificate is None) != (self.user_key is None):
            raise ValueError("user_certificate and user_key go together")
        if self.user_certificate is not None and self.username is not None:
            raise ValueError("the user is `username` or `user_certificate`, not both")
        seen: dict[str, int] = {}
        for number, machine in enumerate(self.machines):
            if machine.path in seen:
                raise ValueError(f"machines {seen[machine.path]} and {number} both have the path {machine.path}")
            seen[machine.path] = number
        return self
