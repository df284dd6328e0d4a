"""Iceberg tables by a SQL or REST catalogue: data and offsets in one commit of a table. Extra `iceberg`."""
