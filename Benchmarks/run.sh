#!/usr/bin/env bash
# Measures this tree's server on this machine: builds a release, makes a temporary data folder with users, serves on a free loopback port,
# runs the profiles one after another and stops the server. Tables go to standard output, JSON to Benchmarks/results/.
#
#   Benchmarks/run.sh [quick|full] [profile …]
#
# quick (the default) takes about three minutes; full uses 15,000 connections and takes about twelve. Profiles are the names below: idle, echo,
# echo-paced, pairs, pairs-window, pairs-paced, rest, rest-paced, room, room-window, group, slow, slow-closed, storm. quick leaves echo-paced,
# rest-paced and slow-closed out unless they are named. MARTLET names another binary, DURATION another number of seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 64; }

size=quick
case "${1-}" in
    quick | full) size=$1; shift ;;
    -h | --help) usage ;;
esac
wanted=("$@")

if [ "$size" = full ]; then
    many=15000 pairs=1000 room=1001 group=10000 duration=${DURATION-20}
else
    many=2000 pairs=200 room=201 group=2000 duration=${DURATION-8}
fi

# shellcheck source=Benchmarks/server.sh
source Benchmarks/server.sh

# A server of its own for every profile, on an empty log: figures don't depend on their order, and memory is that of the profile alone.
failed=0
measure() {
    local name=$1 code=0
    shift
    if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $name "* ]]; then return; fi
    prepare
    serve
    echo
    echo "[$name]"
    # A duration that a profile names itself comes behind this one and wins.
    bench "$name" "$1" --duration "$duration" "${@:2}" || code=$?
    if [ $code -ne 0 ]; then
        echo "$name: FAILED ($code)"
        failed=1
    fi
    stop
}
# For full runs, and where it is asked for.
measure_further() {
    if [ "$size" = full ] || [ ${#wanted[@]} -gt 0 ]; then measure "$@"; fi
}

machine | tee "$results/machine.txt"
measure idle idle --connections "$many"
measure echo echo --connections "$pairs"
measure_further echo-paced echo --connections "$pairs" --rate 10000
measure pairs pairs --connections "$pairs"
measure pairs-window pairs --connections "$pairs" --window 8
measure pairs-paced pairs --connections "$pairs" --rate 5000 --trace-slowest
measure rest rest --connections "$pairs"
measure_further rest-paced rest --connections "$pairs" --rate 500
measure room room --connections "$room"
measure room-window room --connections "$room" --window 8
# A percentile of the last receivers takes some messages, of which there are few a second.
measure group group --connections "$group" --rate 5 --duration $((2 * duration))

# Three parts of half the time each. The second one's server has no patience: it closes those who don't read, who come back with cursors.
duration=$(((duration + 1) / 2))
slow=(slow --connections 220 --slow 20 --senders 2 --size 4096 --rate 200)
measure slow "${slow[@]}"
# Buffers have to fill before a reader counts as slow.
MARTLET_GATEWAY_SLOW_READER_TIMEOUT=1 measure_further slow-closed "${slow[@]}" --duration $((duration > 6 ? duration : 6))

measure storm storm --connections "$many"
exit "$failed"
