"""The live screens: bounded pictures of the namespace, fed from the derived topics, and one feed of views to all browsers."""
