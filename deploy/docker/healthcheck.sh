#!/bin/bash
# Asks the node in this container whether it lives. bash opens the connection itself, so that the image needs no client.
# A path may be given: `martlet-healthcheck /readyz` asks whether it may receive traffic.
set -eu
exec 3<>"/dev/tcp/127.0.0.1/${MARTLET_PORT:-8080}"
printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "${1:-/healthz}" >&3
read -r -t 4 _ status _ <&3
[ "$status" = 200 ]
