"""A whole plant on one machine: how many tags go from MQTT to the page in time, and what each part of the way costs."""
