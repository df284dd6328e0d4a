"""What leaders and coordinators say of open transactions, and markers to end one: KIP-664, which kafka-python speaks."""

from collections.abc import Collection
from typing import Any

from faust.types import TP
from kafka.admin import AbortTransactionSpec, KafkaAdminClient

from uns.engine.hanging import Hanging, Observation, Producer, Transaction


class Admin(KafkaAdminClient):  # type: ignore[misc]
    """Ends transactions as `kafka-transactions.sh` does, and can commit as well as abort. Raises kafka-python's errors."""

    def look(self, partitions: Collection[TP]) -> Observation:
        described = self.describe_producers(partitions)
        producers = {
            TP(*where): [
                Producer(
                    p.producer_id,
                    p.producer_epoch,
                    p.last_sequence,
                    p.last_timestamp,
                    p.coordinator_epoch,
                    p.current_transaction_start_offset,
                )
                for p in described_partition.active_producers
            ]
            for where, described_partition in described.items()
        }
        ids = sorted({p.id for active in producers.values() for p in active if p.start_offset >= 0})
        if not ids:
            return Observation(producers, {})
        listed = self.list_transactions(producer_id_filters=ids)
        names = {listing.transactional_id for listings in listed.values() for listing in listings}
        transactions = {
            name: Transaction(t.producer_id, t.producer_epoch, frozenset(TP(*where) for where in t.topic_partitions))
            for name, t in self.describe_transactions(names).items()
        }
        return Observation(producers, transactions)

    def mark(self, transaction: Hanging, commit: bool) -> None:
        """Writes the marker that is missing: the client's own `abort_transaction`, which can commit as well."""
        producer = transaction.producer
        spec = AbortTransactionSpec(
            transaction.partition, producer.id, producer.epoch, max(0, producer.coordinator_epoch)
        )
        request = self._abort_transaction_request(spec)
        request.markers[0].transaction_result = commit

        async def send() -> Any:
            leader = next(iter(await self._async_get_leader_for_partitions([transaction.partition])))
            return await self._manager.send(request, node_id=leader)

        self._abort_transaction_process_response(self._manager.run(send), spec)
