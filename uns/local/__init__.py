"""Real services from pip alone on loopback and free ports, `uns up` and `uns doctor`: for one machine, never imported by production."""
