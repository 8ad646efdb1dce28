#!/usr/bin/env bash
# Measures this tree's server beside others, on this machine and with one load: builds a release, starts one server after another on a free
# loopback port with its data in a temporary folder, drives each with the same connections, bodies and generator, and prints one table.
#
#   Benchmarks/peers.sh [quick|full] [system …]
#
# Systems: martlet, floor (a bare server in C, Peers/floor.c), nio (a bare SwiftNIO handler), redis, nats, mosquitto, prosody, ejabberd; all
# where none is named. quick (the default) takes about three minutes behind the build, full about seven. Debian packages that are missing are
# installed; on other systems a server that is not there is left out. JSON goes to Benchmarks/results/peers/; Benchmarks/table.py makes the
# table of it, and with --write puts it into docs/performance.md.
#
# DURATION names another number of seconds for each run, PROFILES those to run ("pairs room"), MARTLET another binary, GENERATOR another load
# generator, BUILD another build folder than .build.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

usage() { sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 64; }

size=quick
case "${1-}" in
    quick | full) size=$1; shift ;;
    -h | --help) usage ;;
esac
all=(martlet floor nio redis nats mosquitto prosody ejabberd)
results=Benchmarks/results/peers
if [ "$size" = full ]; then
    duration=${DURATION-6} warmup=1
else
    duration=${DURATION-2} warmup=0.5
fi
limit=150

# shellcheck source=Benchmarks/drive.sh
source Benchmarks/drive.sh
choose "$@"

# MARK: What is needed

declare -A packages=([redis]=redis-server [nats]=nats-server [mosquitto]=mosquitto [prosody]=prosody [ejabberd]=ejabberd)
missing=()
for name in "${!packages[@]}"; do
    if wants "$name" && command -v dpkg-query >/dev/null &&
        ! dpkg-query -W -f='${db:Status-Status}\n' "${packages[$name]}" 2>/dev/null | grep -qx installed; then
        missing+=("${packages[$name]}")
    fi
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "Installing missing packages: ${missing[*]}" >&2
    sudo=()
    if [ "$(id -u)" != 0 ]; then sudo=(sudo); fi
    "${sudo[@]}" apt-get -q update </dev/null >&2
    # Their own services stay off: the machine shall be quiet, and each has one of its own here.
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q install -y --no-install-recommends "${missing[@]}" </dev/null >&2
fi

generator=$(binary martlet-peer-bench "${GENERATOR-}")
martlet=${MARTLET-}
if wants martlet; then martlet=$(binary martlet "$martlet"); fi

begin peers
url_path=/

if wants floor; then cc -O2 -o "$folder/floor" Benchmarks/Peers/floor.c; fi

# MARK: Starting

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

started() {
    # Some choose their port themselves.
    if [ -z "$port" ]; then port=$(sed -n 's|^listening on \(.*:\)\{0,1\}\([0-9]*\)$|\2|p' "$home/output"); fi
    [ -n "$port" ] && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
}

start_martlet() {
    for number in $(seq 1001); do echo "bench$number,,"; done >"$home/users.csv"
    "$martlet" user import --data "$home/data" "$home/users.csv" >/dev/null
    "$martlet" token --data "$home/data" --from "$home/users.csv" >"$folder/tokens"
    url_path=/ws
    launch "$martlet" serve --data "$home/data" --port 0 --no-rate-limits
}
start_floor() { launch "$folder/floor" 0; }
start_nio() { launch "$generator" serve; }
start_redis() {
    local chosen; chosen=$(free_port)
    launch redis-server --bind 127.0.0.1 --port "$chosen" --save '' --appendonly no --dir "$home"
    port=$chosen
}
start_nats() {
    local chosen; chosen=$(free_port)
    launch nats-server -a 127.0.0.1 -p "$chosen"
    port=$chosen
}
start_mosquitto() {
    local chosen; chosen=$(free_port)
    # Without TCP_NODELAY a broker waits for acknowledgements of the network, which is not what is measured.
    printf '%s\n' "listener $chosen 127.0.0.1" "allow_anonymous true" "set_tcp_nodelay true" "persistence false" "log_dest none" \
        >"$home/mosquitto.conf"
    launch mosquitto -c "$home/mosquitto.conf"
    port=$chosen
}
start_prosody() {
    local chosen number; chosen=$(free_port)
    mkdir -p "$home/data/localhost/accounts"
    for ((number = 0; number < 400; number++)); do
        echo 'return { ["password"] = "bench" };' >"$home/data/localhost/accounts/bench$number.dat"
    done
    sed -e "s|@HOME@|$home|g" -e "s|@PORT@|$chosen|g" Benchmarks/Peers/prosody.cfg.lua >"$home/prosody.cfg.lua"
    url_path=/xmpp-websocket
    launch prosody --config "$home/prosody.cfg.lua" -F
    port=$chosen
}
start_ejabberd() {
    local chosen; chosen=$(free_port)
    sed -e "s|@PORT@|$chosen|g" Benchmarks/Peers/ejabberd.yml >"$home/ejabberd.yml"
    url_path=/ws
    # As ejabberdctl starts it, but with folders of its own and as whoever runs this.
    local app; app=$(dpkg -L ejabberd | grep '/ebin/ejabberd\.app$')
    launch env ERL_LIBS="${app%/*/ebin/ejabberd.app}" EJABBERD_CONFIG_PATH="$home/ejabberd.yml" \
        EJABBERD_LOG_PATH="$home/log" ERL_CRASH_DUMP="$home/dump" \
        erl +K true +P 250000 -noinput -mnesia dir "\"$home/spool\"" -s ejabberd
    port=$chosen
}

speech() {
    case $1 in
        mosquitto) echo mqtt ;;
        prosody | ejabberd) echo xmpp ;;
        nio) echo floor ;;
        *) echo "$1" ;;
    esac
}
version() {
    case $1 in
        # Of another binary nobody knows the commit.
        martlet) echo "$("$martlet" --version)$([ -n "${MARTLET-}" ] || echo " at $(git describe --always --dirty 2>/dev/null)")" ;;
        floor) echo "cc $(cc -dumpfullversion 2>/dev/null || cc -dumpversion)" ;;
        nio) sed -n '/"swift-nio"/,/"version"/s/.*"version" : "\(.*\)".*/SwiftNIO \1/p' Package.resolved 2>/dev/null ;;
        *) dpkg-query -W -f='${Version}\n' "${packages[$1]}" 2>/dev/null || echo unknown ;;
    esac
}

# MARK: Measuring

measure() {
    local name=$1 profile=$2
    shift 2
    ready "$name" "$profile" "start_$name" || return 0
    local options=()
    if [ "$name" = martlet ]; then options+=(--tokens "$folder/tokens"); fi
    drive "$name" "$profile" "$(speech "$name")" "$@" --path "$url_path" "${options[@]}" || true
    stop
}

for name in "${wanted[@]}"; do
    if [ -n "${packages[$name]-}" ] && ! command -v "${packages[$name]}" "${packages[$name]}ctl" >/dev/null; then
        echo "$name is not installed: left out" >&2
        continue
    fi
    python3 Benchmarks/table.py --note "$name" "$(version "$name")"
    if [ "$name" != nio ]; then
        measure "$name" pairs pairs --connections 400
        measure "$name" pairs-window pairs --connections 400 --window 8
        measure "$name" pairs-paced pairs --connections 400 --rate 5000
        # A MUC tells everybody of everybody who comes: small rooms for XMPP, and for Martlet both.
        if [ "$(speech "$name")" != xmpp ]; then
            measure "$name" room room --connections 1001
            measure "$name" room-window room --connections 1001 --window 8
        fi
        if [ "$(speech "$name")" = xmpp ] || [ "$name" = martlet ]; then
            measure "$name" room-200 room --connections 201
            measure "$name" room-200-window room --connections 201 --window 8
        fi
    fi
    if [ "$name" = martlet ] || [ "$(speech "$name")" = floor ]; then measure "$name" echo echo --connections 400; fi
done

echo
python3 Benchmarks/table.py
exit "$failed"
