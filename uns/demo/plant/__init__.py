"""The demo plant: machines that know nothing of us but OPC UA and MQTT. Imports nothing of ours."""
