#!/usr/bin/env bash
# Measures this tree's server on this machine: builds a release, makes a temporary data folder with users, serves on a free loopback port,
# runs the profiles one after another and stops the server. Tables go to standard output, JSON to Benchmarks/results/.
#
#   Benchmarks/run.sh [quick|full] [profile …]
#
# quick (the default) takes about two minutes; full uses 15,000 connections and takes about ten. Profiles are the names below: idle, pairs,
# pairs-paced, pairs-window, room, room-window, storm. MARTLET names another binary, DURATION another number of seconds.
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
    many=15000 pairs=1000 room=1001 duration=${DURATION-20}
else
    many=2000 pairs=200 room=201 duration=${DURATION-8}
fi

# One file per connection on either side, and some more.
ulimit -n "$(ulimit -Hn)"
if [ "$(ulimit -n)" != unlimited ] && [ "$(ulimit -n)" -lt $((many + 200)) ]; then
    echo "at most $(ulimit -n) files are allowed, $((many + 200)) are needed: raise the hard limit of \`ulimit -n\`" >&2
    exit 1
fi

martlet=${MARTLET-}
if [ -z "$martlet" ]; then
    swift build -c release --product martlet >&2
    martlet=.build/release/martlet
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/martlet-bench.XXXXXX")
results=Benchmarks/results
server=
mkdir -p "$results"

stop() {
    if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
        kill -TERM "$server"
        wait "$server" || true
    fi
    server=
}
clean() {
    stop
    rm -rf "$folder"
}
trap clean EXIT
trap 'exit 130' INT TERM

# A server of its own for every profile, on an empty log: figures don't depend on their order, and memory is that of the profile alone.
start() {
    rm -rf "$folder/data"
    "$martlet" user import --data "$folder/data" "$folder/users.csv" >/dev/null
    "$martlet" token --data "$folder/data" --from "$folder/users.csv" >"$folder/tokens"
    "$martlet" serve --data "$folder/data" --port 0 --no-rate-limits >"$folder/log" 2>&1 &
    server=$!
    local tries=0
    until url=$(sed -n 's|^listening on http://\(.*\)$|ws://\1/ws|p' "$folder/log") && [ -n "$url" ]; do
        if ! kill -0 "$server" 2>/dev/null || [ $((tries += 1)) -gt 300 ]; then
            echo "the server did not start:" >&2
            cat "$folder/log" >&2
            exit 1
        fi
        sleep 0.1
    done
}

failed=0
measure() {
    local name=$1
    shift
    if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $name "* ]]; then return; fi
    start
    local code=0
    echo
    "$martlet" bench "$@" --url "$url" --tokens "$folder/tokens" --server-pid "$server" --json-file "$results/$name.json" || code=$?
    if [ $code -ne 0 ]; then
        echo "$name: FAILED ($code)"
        failed=1
    fi
    stop
}

for ((number = 1; number <= many; number++)); do echo "bench$number,,"; done >"$folder/users.csv"

echo "$(uname -sm), $(nproc) cores, $("$martlet" --version), $(date -u +%Y-%m-%dT%H:%MZ), commit $(git rev-parse --short HEAD 2>/dev/null || echo none)" |
    tee "$results/machine.txt"
measure idle idle --connections "$many" --duration "$duration"
measure pairs pairs --connections "$pairs" --duration "$duration"
measure pairs-window pairs --connections "$pairs" --window 8 --duration "$duration"
measure pairs-paced pairs --connections "$pairs" --rate 5000 --duration "$duration"
measure room room --connections "$room" --duration "$duration"
measure room-window room --connections "$room" --window 8 --duration "$duration"
measure storm storm --connections "$many"
exit "$failed"
