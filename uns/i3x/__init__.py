"""The namespace for clients of i3X 1.0 (CESMII): browse, read, read the past, subscribe, over HTTP and JSON."""
