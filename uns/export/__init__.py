"""What leaves the namespace as files: documents of its interfaces (AsyncAPI, OpenAPI), and its data as tables."""
