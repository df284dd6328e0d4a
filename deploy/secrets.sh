#!/bin/sh
# Makes the secrets of docker-compose.yml where they are missing: one file each, in a folder that only its owner enters.
# Inside it they are readable by all: the users of the containers are others than yours.
set -eu
folder=${1:-$(dirname "$0")/../secrets}
mkdir -p "$folder"
chmod 700 "$folder"
for name in postgres grafana; do
  test -s "$folder/$name" && continue
  head -c 24 /dev/urandom | base64 | tr '+/' '-_' > "$folder/$name"
  chmod 444 "$folder/$name"
  echo "made $folder/$name"
done
