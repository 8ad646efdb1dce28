#!/usr/bin/env bash
# Measures this tree's server through the older protocols that it speaks, gowebsocket and clusterchat, beside its own protocol: a server for
# each run, on free loopback ports and a fresh data folder, one load generator, and one table beside what the protocols' own servers did.
#
#   Benchmarks/dialects.sh [group …]
#
# Groups: native, gowebsocket, seed, course (clusterchat by its two numberings), paced (seed, with the pause between two messages to one
# client that the server makes unless told otherwise); all where none is named, in about six minutes behind the build. JSON goes to
# Benchmarks/results/dialects/; Benchmarks/dialects.py makes the table of it.
#
# DURATION names another number of seconds for each run (5), MARTLET another binary, GENERATOR another load generator, BUILD another build
# folder than .build, PROFILES those to run ("pairs-100 room").
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 64; }

all=(native gowebsocket seed course paced)
wanted=("$@")
for name in "${wanted[@]}"; do
    if [[ " ${all[*]} " != *" $name "* ]]; then usage; fi
done
profiles=${PROFILES-}
results=Benchmarks/results/dialects
mkdir -p "$results"
if [ ${#wanted[@]} -eq 0 ]; then
    wanted=("${all[@]}")
    if [ -z "$profiles" ]; then rm -f "$results"/*.json; fi
fi
duration=${DURATION-5}
# Accounts: a room of 500 and its writer.
people=501
password=bench-password

# MARK: What is needed

build=${BUILD-.build}
generator=${GENERATOR-}
if [ -z "$generator" ]; then
    swift build -c release --scratch-path "$build" --product martlet-peer-bench >&2
    generator=$build/release/martlet-peer-bench
fi
martlet=${MARTLET-}
if [ -z "$martlet" ]; then
    swift build -c release --scratch-path "$build" --product martlet >&2
    martlet=$build/release/martlet
fi

ulimit -n "$(ulimit -Hn)"
folder=$(mktemp -d "${TMPDIR:-/tmp}/martlet-dialects.XXXXXX")
server= driver= port= chat_port=

stop() {
    if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
        kill -TERM "$server" 2>/dev/null || true
        local tries=0
        while kill -0 "$server" 2>/dev/null && [ $((tries += 1)) -le 100 ]; do sleep 0.1; done
        # What it holds is thrown away anyhow.
        kill -KILL "$server" 2>/dev/null || true
    fi
    if [ -n "$server" ]; then wait "$server" 2>/dev/null || true; fi
    server=
}
clean() {
    if [ -n "$driver" ]; then kill -TERM "$driver" 2>/dev/null || true; fi
    stop
    rm -rf "$folder"
}
trap clean EXIT
trap 'exit 130' INT TERM

# Passwords are hashed with much work, so that this is done once and copied: each run has a store of its own with the same people.
prepare() {
    for ((number = 1; number <= people; number++)); do echo "bench$number,$password,"; done >"$folder/users.csv"
    "$martlet" user import --data "$folder/people" "$folder/users.csv" >&2
    "$martlet" token --data "$folder/people" --from "$folder/users.csv" >"$folder/tokens"
    awk -v password="$password" '{ print $1 "," password }' "$folder/tokens" >"$folder/ids.csv"
}

# configure NUMBERING PACE: PACE is in milliseconds; empty: the server's own.
configure() {
    cat <<END
gowebsocket:
  enabled: true
  open: true
  rooms: [101]
accounts:
  guests: true
clusterchat:
  port: [0]
  numbering: [$1]
  app: 1
END
    if [ -n "$2" ]; then echo "  pace: $2"; fi
}

# start GROUP NUMBERING PACE: sets `server`, `port` and, where the group needs it, `chat_port`.
start() {
    rm -rf "$folder/data"
    cp -a "$folder/people" "$folder/data"
    configure "$2" "$3" >"$folder/martlet.yaml"
    : >"$folder/output"
    "$martlet" serve --config "$folder/martlet.yaml" --data "$folder/data" --port 0 --no-rate-limits \
        >"$folder/output" 2>&1 </dev/null &
    server=$!
    port= chat_port=
    local tries=0
    until [ -n "$port" ] && { [ -n "$chat_port" ] || [[ " native gowebsocket " == *" $1 "* ]]; }; do
        if ! kill -0 "$server" 2>/dev/null || [ $((tries += 1)) -gt 200 ]; then
            echo "the server did not start:" >&2
            tail -n 20 "$folder/output" >&2
            return 1
        fi
        sleep 0.1
        port=$(sed -n 's|^listening on http://.*:\([0-9]*\)$|\1|p' "$folder/output")
        chat_port=$(sed -n 's|^clusterchat-[a-z]* on .*:\([0-9]*\)$|\1|p' "$folder/output")
    done
    sleep 0.3
}

# MARK: Measuring

failed=0
# measure GROUP PROFILE LOAD CONNECTIONS [WINDOW]
measure() {
    local group=$1 profile=$2 load=$3 connections=$4 window=${5-1} code=0 numbering=seed pace=0
    local file=$results/$group.$profile.json
    if [[ " ${wanted[*]} " != *" $group "* ]]; then return; fi
    if [ -n "$profiles" ] && [[ " $profiles " != *" $profile "* ]]; then return; fi
    rm -f "$file"
    case $group in
        course) numbering=course ;;
        paced) pace= ;;
    esac
    if ! start "$group" "$numbering" "$pace"; then
        failed=1
        stop
        return
    fi
    local options=()
    case $group in
        native) options=(martlet "$load" --port "$port" --tokens "$folder/tokens") ;;
        gowebsocket) options=(gowebsocket "$load" --port "$port" --app 101) ;;
        *) options=(clusterchat "$load" --port "$chat_port" --numbering "$numbering" --users "$folder/ids.csv") ;;
    esac
    # In the background, so that a signal is not kept waiting until the run is over. Signing in 500 clusterchat users takes a while.
    timeout 400 "$generator" drive "${options[@]}" --connections "$connections" --window "$window" --server-pid "$server" \
        --system "$group" --profile "$profile" --duration "$duration" --warmup 1 --json-file "$file" &
    driver=$!
    wait "$driver" || code=$?
    driver=
    if [ "$code" -ne 0 ]; then
        echo "$group $profile: FAILED ($code)"
        tail -n 5 "$folder/output" >&2
        failed=1
    fi
    stop
}

prepare
# Pairs are counted by connections, rooms by those who hear.
for group in native gowebsocket seed course paced; do
    measure $group pairs-100 pairs 100
    # The second numbering differs in names only.
    if [ $group != course ]; then measure $group pairs-500 pairs 500; fi
    case $group in
        native)
            measure $group room-100 room 101
            measure $group room-500 room 501
            measure $group room-500-window room 501 8
            ;;
        gowebsocket)
            measure $group room-500 room 501
            measure $group room-500-window room 501 8
            ;;
        *) measure $group room-100 room 101 ;;
    esac
done

echo
python3 Benchmarks/dialects.py "$("$martlet" --version)"
exit "$failed"
