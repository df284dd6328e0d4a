#!/bin/sh
# podman-compose wants to know podman's version before it renders a file, for which it needs no podman.
echo "podman version 5.6.0"
