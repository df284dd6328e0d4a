"""The plant model at work: found, checked, applied to a cluster, begun anew."""
