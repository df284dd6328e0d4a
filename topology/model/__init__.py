"""The plant model: YAML files to frozen models, with the line of each mistake."""
