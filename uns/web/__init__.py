"""The live page: a bounded picture of the namespace, fed from the derived topics, drawn by NiceGUI."""
