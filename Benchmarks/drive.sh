# What peers.sh and dialects.sh share: one server after another, each driven by martlet-peer-bench. Source it from the top of the tree with
# `all` set to what can be asked for, `results` to the folder for JSON, `duration` and `warmup` to the seconds of a run, `limit` to those after
# which the generator is ended, `usage` to a function that ends the script, and `started` to one that sets `port` and is true once the server
# takes connections. PROFILES, BUILD and the rest are described in the scripts. `failed` is the exit code.

profiles=${PROFILES-}
failed=0 wanted=() folder= home= server= driver= port=

# choose NAME…: sets `wanted` to those named. To all where none is: then, unless only some profiles run, earlier results go.
choose() {
    local name
    wanted=("$@")
    for name in "${wanted[@]}"; do
        if [[ " ${all[*]} " != *" $name "* ]]; then usage; fi
    done
    mkdir -p "$results"
    if [ ${#wanted[@]} -eq 0 ]; then
        wanted=("${all[@]}")
        if [ -z "$profiles" ]; then rm -f "$results"/*.json; fi
    fi
}

wants() { [[ " ${wanted[*]} " == *" $1 "* ]]; }

# binary PRODUCT [PATH]: prints PATH, or where there is none, builds a release of the product and prints where that is.
binary() {
    local build=${BUILD-.build}
    if [ -n "${2-}" ]; then
        echo "$2"
    else
        swift build -c release --scratch-path "$build" --product "$1" >&2 && echo "$build/release/$1"
    fi
}

# begin NAME: makes `folder`, which goes at the end with whatever runs then.
begin() {
    ulimit -n "$(ulimit -Hn)"
    folder=$(mktemp -d "${TMPDIR:-/tmp}/martlet-$1.XXXXXX")
    trap clean EXIT
    trap 'exit 130' INT TERM
}
clean() {
    if [ -n "$driver" ]; then kill -TERM "$driver" 2>/dev/null || true; fi
    stop
    rm -rf "$folder"
}

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

# Runs a server in the background; its folder is its home, so that it finds nothing of the user's.
launch() {
    : >"$home/output"
    env HOME="$home" "$@" >"$home/output" 2>&1 </dev/null &
    server=$!
}

# ready NAME PROFILE COMMAND…: whether the profile shall run and the server that COMMAND launches is up. It has a fresh folder, `home`, for
# each profile: figures do not depend on their order, and memory is that of the profile alone.
ready() {
    local name=$1 profile=$2 tries=0
    shift 2
    if [ -n "$profiles" ] && [[ " $profiles " != *" $profile "* ]]; then return 1; fi
    rm -f "$results/$name.$profile.json"
    home=$folder/home
    rm -rf "$home"
    mkdir "$home"
    port=
    "$@"
    until started; do
        if ! kill -0 "$server" 2>/dev/null || [ $((tries += 1)) -gt 200 ]; then
            echo "$name did not start:" >&2
            tail -n 20 "$home"/output "$home"/log >&2 2>/dev/null || true
            failed=1
            stop
            return 1
        fi
        sleep 0.1
    done
    sleep 0.3
}

# drive NAME PROFILE OPTIONS…: one run of the generator against the server that is up, whose status it returns.
drive() {
    local name=$1 profile=$2 code=0
    shift 2
    # In the background, so that a signal is not kept waiting until the run is over.
    timeout "$limit" "$generator" drive "$@" --port "$port" --server-pid "$server" --system "$name" --profile "$profile" \
        --duration "$duration" --warmup "$warmup" --json-file "$results/$name.$profile.json" &
    driver=$!
    wait "$driver" || code=$?
    driver=
    if [ "$code" -ne 0 ]; then
        echo "$name $profile: FAILED ($code)"
        failed=1
    fi
    return "$code"
}
