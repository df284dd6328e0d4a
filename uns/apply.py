"""Makes a cluster match a plant model: reads what is there, plans with `topology.plan`, and takes the steps."""

from collections.abc import Callable, Iterable

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.error import SchemaRegistryError

from topology.plan import Acl, Cluster, Kind, Step, Topic, desired, diff
from topology.plant import Plant
from uns.errors import UserError
from uns.settings import Settings

TIMEOUT_S = 20.0
COMPATIBILITY = ConfigCompatibilityLevel.BACKWARD_TRANSITIVE
REPLICAS = 3


class Applier:
    """One cluster with its registry. Every method raises `UserError` when either does not answer."""

    def __init__(self, settings: Settings) -> None:
        if settings.bootstrap is None or settings.registry is None:
            raise UserError("`uns apply` needs UNS_BOOTSTRAP and UNS_REGISTRY")
        self._settings = settings
        self._admin = AdminClient(settings.kafka(**{"socket.connection.setup.timeout.ms": 5000}))
        self._registry = SchemaRegistryClient({"url": settings.registry, "timeout": 10, "max.retries": 1})

    def plan(self, plant: Plant) -> list[Step]:
        """What is to do; nothing is changed."""
        wanted = desired(plant)
        return diff(
            wanted, Cluster(self._topics(wanted.topics), self._subjects(wanted.subjects), self._acls(bool(wanted.acls)))
        )

    def apply(self, steps: Iterable[Step], taken: Callable[[Step], None] = lambda step: None) -> int:
        """Takes the steps that act, in order, and returns how many. Stops at the first that fails: all can be taken again."""
        acting = [step for step in steps if step.acts]
        new = [step.topic for step in acting if step.kind is Kind.CREATE_TOPIC and step.topic is not None]
        if new:
            self._create(new)
        for step in acting:
            if step.kind is Kind.ALTER_TOPIC:
                self._alter(step)
            elif step.kind is Kind.REGISTER_SCHEMA and step.schema is not None:
                self._register(step.name, step.schema)
            elif step.kind is Kind.CREATE_ACL and step.acl is not None:
                self._grant(step.acl)
            taken(step)
        return len(acting)

    def _topics(self, wanted: Iterable[str]) -> dict[str, Topic]:
        try:
            metadata = self._admin.list_topics(timeout=TIMEOUT_S)
            self._brokers = len(metadata.brokers)
            present = [name for name in wanted if name in metadata.topics]
            configs = {}
            if present:
                resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in present]
                for resource, future in self._admin.describe_configs(resources, request_timeout=TIMEOUT_S).items():
                    configs[resource.name] = {name: entry.value for name, entry in future.result().items()}
        except KafkaException as error:
            raise UserError(
                f"Kafka at {self._settings.bootstrap} does not answer: {_words(error)}; `uns doctor` looks closer"
            ) from error
        return {
            name: Topic(name, len(topic.partitions), tuple(sorted(configs.get(name, {}).items())))
            for name, topic in metadata.topics.items()
        }

    def _subjects(self, wanted: Iterable[str]) -> dict[str, str]:
        found = {}
        try:
            known = set(self._registry.get_subjects())
            for subject in wanted:
                if subject in known:
                    text = self._registry.get_latest_version(subject).schema.schema_str
                    found[subject] = text
        except (SchemaRegistryError, OSError, ValueError) as error:
            raise UserError(f"the schema registry at {self._settings.registry} does not answer: {error}") from error
        except Exception as error:  # the client lets its HTTP library's errors through
            raise UserError(f"the schema registry at {self._settings.registry} does not answer: {error}") from error
        return found

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
            if binding.operation in operations
        )

    def _create(self, topics: list[Topic]) -> None:
        replicas = min(REPLICAS, self._brokers)
        requests = [
            NewTopic(one.name, one.partitions, replicas, config=self._with_quorum(one, replicas)) for one in topics
        ]
        for name, future in self._admin.create_topics(requests, request_timeout=TIMEOUT_S).items():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise UserError(f"topic {name} cannot be created: {_words(error)}") from error

    @staticmethod
    def _with_quorum(one: Topic, replicas: int) -> dict[str, str]:
        return dict(one.config) | ({"min.insync.replicas": "2"} if replicas >= REPLICAS else {})

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

    def _register(self, subject: str, text: str) -> None:
        try:
            self._registry.set_config(subject, ServerConfig(compatibility=COMPATIBILITY))
            self._registry.register_schema(subject, Schema(text, "AVRO"))
        except SchemaRegistryError as error:
            raise UserError(
                f"schema {subject} is refused by {self._settings.registry}: {error.error_message}"
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
