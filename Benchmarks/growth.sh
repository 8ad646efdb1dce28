#!/usr/bin/env bash
# Measures whether a delivery costs the same however large the server's world is: by connections, and by the length of the log. Each row is a
# server of its own and the pairs profile at the same rate; the figure to compare is the CPU by million deliveries, which should be flat.
#
#   Benchmarks/growth.sh [connections] [log]      without a name: both
#
# RATE, DURATION and MARTLET name another rate, time and binary; CONNECTIONS and EVENTS other rows, as lists. The longest log, of 50 million
# events, needs 12 GB in TMPDIR and some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 64; }

rate=${RATE-2000} duration=${DURATION-15}
connections=${CONNECTIONS-100 1000 5000 15000} events=${EVENTS-0 5000000 50000000}
# Those who write in all rows of the log's table, and in the second half of the other one.
active=100 writers=1000 conversations=20000
parts=" ${*:-connections log} "
for part in $parts; do case $part in connections | log) ;; *) usage ;; esac done

many=$writers
for count in $connections; do if [ "$count" -gt "$many" ]; then many=$count; fi; done

# shellcheck source=Benchmarks/server.sh
source Benchmarks/server.sh

# A number out of a report: the first one named so.
figure() { sed -n "s/.*\"$2\":\([0-9.]*\).*/\1/p" "$results/$1.json"; }
# A percentile of the deliveries' latency in milliseconds.
latency() {
    sed -n 's/.*"latencyMicroseconds":{.*"delivered":{\([^}]*\)}.*/\1/p' "$results/$1.json" |
        sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p" | awk '{ printf "%.2f", $1 / 1000 }'
}
say() { tee -a "$results/growth.txt"; }
heading() { printf '\n%-14s %-14s %12s %10s %10s %10s  %s\n' "$1" writing "CPU s/M" "p50 ms" "p99 ms" "offered %" integrity | say; }

failed=0
# row NAME LABEL WRITERS OPTIONS…
row() {
    local name=$1 label=$2 writing=$3 sound=sound
    shift 3
    bench "$name" pairs --rate "$rate" --duration "$duration" --json "$@" >/dev/null || { sound=FAILED failed=1; }
    printf '%-14s %-14s %12s %10s %10s %10s  %s\n' "$label" "$writing" "$(figure "$name" serverCPUSecondsPerMillionDeliveries)" \
        "$(latency "$name" p50)" "$(latency "$name" p99)" "$(figure "$name" deliveredRatio | awk '{ print $1 * 100 }')" "$sound" | say
}

machine | tee "$results/growth.txt"
echo "pairs, $rate messages a second in all rows, $duration s each" | say

if [[ $parts == *" connections "* ]]; then
    heading connections
    for count in $connections; do
        # The first message of each pair asks for rights and makes the conversation: all of them belong to the warm-up.
        prepare
        serve
        row "growth-all-$count" "$count" "all in turn" --connections "$count" --warmup $((count / rate + 3))
        stop
    done
    heading connections
    for count in $connections; do
        prepare
        serve
        row "growth-$active-of-$count" "$count" "$active" --connections "$count" --active "$active" --warmup 3
        stop
    done
fi

if [[ $parts == *" log "* ]]; then
    heading "events"
    for count in $events; do
        free=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
        if [ $((count / 4)) -gt "$free" ]; then
            echo "$count events need $((count / 4194304)) GB in ${TMPDIR:-/tmp}: left out" | say
            continue
        fi
        prepare
        if [ "$count" -gt 0 ]; then
            "$martlet" generate-log --data "$folder/data" --tokens "$folder/tokens" --events "$count" --conversations "$conversations" >&2
        fi
        serve
        row "growth-log-$count" "$count" "$writers" --connections "$writers" --warmup 3
        stop
    done
fi
exit "$failed"
