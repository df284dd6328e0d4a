"""Makes a cluster match a plant model: reads what is there, plans with `topology.cluster`, and takes the steps."""

import time
from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.error import SchemaRegistryError

from topology.cluster import Acl, Cluster, Kind, Step, Topic, desired, diff, snapshot_topics
from topology.model.plant import Plant
from uns.errors import UserError
from uns.kafka import clients
from uns.model.snapshots import remove, snapshots
from uns.runtime.settings import Settings

TIMEOUT_S = 10.0
POLL_S = 0.05
REPLICAS = 3
IN_SYNC = 2
"""With three replicas: one broker may be away, and an acknowledged record still has two copies."""
NOT_FOUND = 404


def apply_plant(plant: Plant, settings: Settings) -> int:
    """Makes the cluster match the plant without asking; returns how many steps it took. Raises `UserError`."""
    applier = Applier(settings, plant)
    steps = applier.plan()
    if refused := [str(step) for step in steps if step.kind is Kind.REFUSED]:
        raise UserError("; ".join(refused))
    return applier.apply(steps)


class Applier:
    """A plant, and a cluster with its registry. Every method raises `UserError` when either does not answer."""

    def __init__(self, settings: Settings, plant: Plant) -> None:
        if settings.bootstrap is None or settings.registry is None:
            raise UserError("`uns apply` needs UNS_BOOTSTRAP and UNS_REGISTRY")
        self._settings = settings
        self._admin = clients.admin(settings, {"socket.connection.setup.timeout.ms": 5000})
        self._registry = SchemaRegistryClient({"url": settings.registry, "timeout": 10, "max.retries": 1})
        self._wanted = desired(plant)
        self._replicas = 1

    def plan(self) -> list[Step]:
        """What is to do; nothing is changed."""
        return self._plan(removals=True)

    def _plan(self, removals: bool) -> list[Step]:
        wanted = self._wanted
        topics = self._topics(wanted.topics)
        subjects, levels = self._subjects(wanted.subjects)
        kept = {name: topics[name].partitions for name in snapshot_topics(wanted, topics)} if removals else {}
        acls = self._acls(bool(wanted.acls))
        return diff(wanted, Cluster(topics, subjects, levels, acls, snapshots(self._settings, kept)))

    def apply(self, steps: Iterable[Step]) -> int:
        """Takes the steps that act, in order, and returns how many, once the cluster shows them all.

        Stops at the first that fails: all can be taken again.
        """
        acting = [step for step in steps if step.acts]
        new = [step.topic for step in acting if step.kind is Kind.CREATE_TOPIC and step.topic is not None]
        if new:
            self._create(new)
        for step in acting:
            if step.kind is Kind.ALTER_TOPIC:
                self._alter(step)
            elif step.kind in (Kind.REGISTER_SCHEMA, Kind.SET_COMPATIBILITY):
                self._register(step)
            elif step.kind is Kind.CREATE_ACL and step.acl is not None:
                self._grant(step.acl)
        gone = [(step.name, step.place) for step in acting if step.place is not None]
        if gone:
            remove(self._settings, gone)
        self._settle(acting)
        return len(acting)

    def _settle(self, taken: list[Step]) -> None:
        """A broker learns from its controller a little later; who starts after us must find everything there."""
        deadline = time.monotonic() + TIMEOUT_S
        # What Kafka has confirmed as removed is: a processor may have said it anew since.
        while left := [step for step in self._plan(removals=False) if step in taken]:
            if time.monotonic() > deadline:
                raise UserError(f"applied, but not to be seen after {TIMEOUT_S:g} s: {'; '.join(map(str, left))}")
            time.sleep(POLL_S)

    def _topics(self, wanted: Mapping[str, Topic]) -> dict[str, Topic]:
        try:
            metadata = self._admin.list_topics(timeout=TIMEOUT_S)
            self._replicas = min(REPLICAS, len(metadata.brokers))
            configs = self._configs([name for name in wanted if name in metadata.topics])
        except KafkaException as error:
            verb = "does not answer" if error.args[0].code() < 0 else "refuses"  # below 0: the client's own errors
            raise UserError(
                f"Kafka at {self._settings.bootstrap} {verb}: {_words(error)}; `uns doctor` looks closer"
            ) from error
        return {
            name: Topic(name, len(topic.partitions), tuple(sorted(configs.get(name, {}).items())))
            for name, topic in metadata.topics.items()
            if name in configs or name not in wanted
        }

    def _configs(self, names: list[str]) -> dict[str, dict[str, str]]:
        """Settings of topics. One that another broker does not know yet is left out, as not there."""
        configs = {}
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        answers = self._admin.describe_configs(resources, request_timeout=TIMEOUT_S) if resources else {}
        for resource, future in answers.items():
            try:
                configs[resource.name] = {name: entry.value for name, entry in future.result().items()}
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
        return configs

    def _subjects(self, wanted: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        schemas, levels = {}, {}
        try:
            for subject in set(self._registry.get_subjects()) & wanted.keys():
                schemas[subject] = self._registered(subject, wanted[subject])
                levels[subject] = self._level(subject)
        except Exception as error:  # the client lets its HTTP library's errors through
            raise UserError(
                f"the schema registry at {self._settings.registry} does not answer: {error}; start it, or correct UNS_REGISTRY"
            ) from error
        return schemas, levels

    def _registered(self, subject: str, text: str) -> str:
        """`text` if any version of the subject is it (a newer one may have come since), else the latest version."""
        try:
            self._registry.lookup_schema(subject, Schema(text, "AVRO"))
        except SchemaRegistryError as error:
            if error.http_status_code != NOT_FOUND:
                raise
            return str(self._registry.get_latest_version(subject).schema.schema_str)
        return text

    def _level(self, subject: str) -> str:
        """The subject's compatibility level, else the registry's."""
        try:
            return str(self._registry.get_compatibility(subject))
        except SchemaRegistryError as error:
            if error.http_status_code != NOT_FOUND:
                raise
            return str(self._registry.get_compatibility())

    def _acls(self, needed: bool) -> frozenset[Acl]:
        everything = AclBindingFilter(
            ResourceType.TOPIC, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ALLOW
        )
        try:
            bindings = self._admin.describe_acls(everything, request_timeout=TIMEOUT_S).result()
        except KafkaException as error:
            if not needed:
                return frozenset()
            raise UserError(
                f"the model declares access, and the broker keeps no ACLs: {_words(error)}; give it an authorizer"
            ) from error
        operations = {AclOperation.READ: "read", AclOperation.WRITE: "write"}
        return frozenset(
            Acl(
                binding.principal,
                binding.name,
                binding.resource_pattern_type is ResourcePatternType.PREFIXED,
                operations[binding.operation],
            )
            for binding in bindings
            if binding.operation in operations and binding.host == "*"
        )

    def _create(self, topics: list[Topic]) -> None:
        in_sync = {"min.insync.replicas": str(IN_SYNC)} if self._replicas >= REPLICAS else {}
        requests = [
            NewTopic(new.name, new.partitions, self._replicas, config=dict(new.config) | in_sync) for new in topics
        ]
        for name, future in self._admin.create_topics(requests, request_timeout=TIMEOUT_S).items():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise UserError(f"topic {name} cannot be created: {_words(error)}") from error

    def _alter(self, step: Step) -> None:
        resource = ConfigResource(
            ConfigResource.Type.TOPIC,
            step.name,
            incremental_configs=[
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in step.changes
            ],
        )
        for future in self._admin.incremental_alter_configs([resource], request_timeout=TIMEOUT_S).values():
            try:
                future.result()
            except KafkaException as error:
                raise UserError(f"topic {step.name} cannot be altered: {_words(error)}") from error

    def _register(self, step: Step) -> None:
        try:
            if step.level is not None:
                level = ConfigCompatibilityLevel[step.level]
                self._registry.set_config(step.name, ServerConfig(compatibility=level))
            if step.schema is not None:
                self._registry.register_schema(step.name, Schema(step.schema, "AVRO"))
        except SchemaRegistryError as error:
            raise UserError(
                f"schema {step.name} is refused by {self._settings.registry}: {error.error_message}"
            ) from error

    def _grant(self, acl: Acl) -> None:
        pattern = ResourcePatternType.PREFIXED if acl.prefixed else ResourcePatternType.LITERAL
        operation = AclOperation.READ if acl.operation == "read" else AclOperation.WRITE
        binding = AclBinding(
            ResourceType.TOPIC, acl.name, pattern, acl.principal, "*", operation, AclPermissionType.ALLOW
        )
        for future in self._admin.create_acls([binding], request_timeout=TIMEOUT_S).values():
            try:
                future.result()
            except KafkaException as error:
                raise UserError(f"ACL on {acl.name} for {acl.principal} cannot be created: {_words(error)}") from error


def _words(error: KafkaException) -> str:
    return str(error.args[0].str())
