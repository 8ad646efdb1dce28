# What run.sh and growth.sh share: a server of its own for every measurement. Source it from the top of the tree with `many` set to the number
# of users. It leaves `martlet` (the binary), `folder` (temporary), `results`, and the functions below.

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

# An empty store with users, and their tokens.
prepare() {
    rm -rf "$folder/data"
    "$martlet" user import --data "$folder/data" "$folder/users.csv" >/dev/null
    "$martlet" token --data "$folder/data" --from "$folder/users.csv" >"$folder/tokens"
}

# Serves what was prepared, and sets `url`.
serve() {
    : >"$folder/log"
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

# bench NAME PROFILE OPTIONS…: one measurement of the server that runs; JSON goes to NAME.json.
bench() {
    local name=$1
    shift
    "$martlet" bench "$@" --url "$url" --tokens "$folder/tokens" --server-pid "$server" --json-file "$results/$name.json"
}

machine() {
    echo "$(uname -sm), $(nproc) cores, $("$martlet" --version), $(date -u +%Y-%m-%dT%H:%MZ), commit $(git rev-parse --short HEAD 2>/dev/null || echo none)"
}

for ((number = 1; number <= many; number++)); do echo "bench$number,,"; done >"$folder/users.csv"
