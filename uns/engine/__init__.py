"""The exactly-once shell round pure folds: Faust hands out partitions, one Kafka transaction carries all effects."""
