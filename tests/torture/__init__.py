"""Whatever dies, stops, fills up or lies: derived topics equal the oracle's, record for record and byte for byte."""
