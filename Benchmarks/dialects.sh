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
results=Benchmarks/results/dialects
# Signing in 500 clusterchat users takes a while.
duration=${DURATION-5} warmup=1 limit=400
# Accounts: a room of 500 and its writer.
people=501
password=bench-password

# shellcheck source=Benchmarks/drive.sh
source Benchmarks/drive.sh
choose "$@"
generator=$(binary martlet-peer-bench "${GENERATOR-}")
martlet=$(binary martlet "${MARTLET-}")
begin dialects

# MARK: Starting

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

# start GROUP NUMBERING PACE: launches the server, and leaves in `speaks` how it announces the port that the group goes to.
start() {
    case $1 in
        native | gowebsocket) speaks="listening" ;;
        *) speaks="clusterchat-$2" ;;
    esac
    cp -a "$folder/people" "$home/data"
    configure "$2" "$3" >"$home/martlet.yaml"
    launch "$martlet" serve --config "$home/martlet.yaml" --data "$home/data" --port 0 --no-rate-limits
}
started() {
    port=$(sed -n "s|^$speaks on .*:\([0-9]*\)$|\1|p" "$home/output")
    [ -n "$port" ]
}

# MARK: Measuring

# measure GROUP PROFILE LOAD CONNECTIONS [WINDOW]
measure() {
    local group=$1 profile=$2 load=$3 connections=$4 window=${5-1} numbering=seed pace=0
    wants "$group" || return 0
    case $group in
        course) numbering=course ;;
        paced) pace= ;;
    esac
    ready "$group" "$profile" start "$group" "$numbering" "$pace" || return 0
    local options=()
    case $group in
        native) options=(martlet "$load" --tokens "$folder/tokens") ;;
        gowebsocket) options=(gowebsocket "$load" --app 101) ;;
        *) options=(clusterchat "$load" --numbering "$numbering" --users "$folder/ids.csv") ;;
    esac
    drive "$group" "$profile" "${options[@]}" --connections "$connections" --window "$window" || tail -n 5 "$home/output" >&2
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
