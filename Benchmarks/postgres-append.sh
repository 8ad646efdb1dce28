#!/usr/bin/env bash
# Measures what a batch is worth to the log on PostgreSQL: messages a second of one connection that stores them one by one, and in batches,
# by the log's own statements, on a new server of this machine that waits for the disk (fsync). The arrays are made on the server, which
# costs it some of the time that is measured.
#
#   Benchmarks/postgres-append.sh [batch …]      without a size: 1 256
#
# DURATION names other seconds for each row, CONVERSATIONS how many the messages go to, TMPDIR another disk.
set -euo pipefail
cd "$(dirname "$0")/.."

duration=${DURATION-10} conversations=${CONVERSATIONS-2000}
bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb | sort -V | tail -1)")
folder=$(mktemp -d) port=$((20000 + RANDOM % 20000))
log=Sources/Storage/MartletLog/Postgres
as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
stop() { as "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$folder"; }
trap stop EXIT

if [ "$(id -u)" = 0 ]; then chown postgres "$folder"; fi
as "$bin/initdb" -D "$folder/data" -U martlet -A trust --locale=C --encoding=UTF8 >/dev/null
as "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$folder" start >/dev/null
export PGHOST=127.0.0.1 PGPORT=$port PGUSER=martlet PGDATABASE=postgres

# The schema as the program has it: its statements stand in """ or, where they are short, in ".
awk '
    /^ *"""/ { if (inside) print ";"; inside = !inside; next }
    inside { print; next }
    /^ *"CREATE.*",?$/ { sub(/^ *"/, ""); sub(/",?$/, ""); print $0 ";" }
' $log/PostgresLogSchema.swift >"$folder/schema.sql"
now=$(($(date +%s) * 1000)) period=604800000 day=86400000
part=$((1 + now / period)) today=$((1 + now / day))
cat >>"$folder/schema.sql" <<SQL
CREATE TABLE log_events_$part PARTITION OF log_events FOR VALUES FROM ($part) TO ($((part + 1)));
CREATE TABLE log_retries_$today PARTITION OF log_retries FOR VALUES FROM ($today) TO ($((today + 1)));
INSERT INTO log_conversations (name) SELECT 'g:' || n FROM generate_series(1, $conversations) n;
ALTER ROLE martlet SET plan_cache_mode = force_generic_plan; ALTER ROLE martlet SET enable_seqscan = off; ALTER ROLE martlet SET jit = off;
SQL
psql -q -v ON_ERROR_STOP=1 -f "$folder/schema.sql"

# The statement of an append, with its arrays made of a row of numbers.
store=$(sed -n '/static let store = """/,/^ *"""$/p' $log/PostgresLogStatements.swift | sed '1d;$d' | sed "s/\\\\(PostgresPartitions.day)/$day/")
array() { echo "(SELECT array_agg($1) FROM generate_series(1, $size) n)"; }
printf '%8s %14s %14s\n' batch commits/s messages/s
for size in "${@:-1 256}"; do for size in $size; do
    statement=${store//'$1::int8[]'/$(array "1 + (:run + n * 7919) % $conversations")}
    statement=${statement//'$2::int8[]'/$(array "n::bigint")}
    statement=${statement//'$3::int2[]'/$(array "1::smallint")}
    statement=${statement//'$4::text[]'/$(array "to_hex(:run) || '-' || n")}
    statement=${statement//'$5::int8[]'/$(array "n::bigint")}
    statement=${statement//'$6::bytea[]'/$(array "decode(repeat('61', 120), 'hex')")}
    statement=${statement//'$7'/$now} statement=${statement//'$8'/$today} statement=${statement//'$9'/$period}
    {
        echo '\set run random(1, 9000000000000)'
        echo '\startpipeline'
        echo "SELECT id FROM log_conversations WHERE id = ANY ($(array "1 + (:run + n * 7919) % $conversations")::bigint[]) ORDER BY id FOR UPDATE;"
        echo "$statement;"
        echo '\endpipeline'
    } | sed 's/(:run/(:run::bigint/g; s/to_hex(:run)/to_hex(:run::bigint)/g' >"$folder/batch.sql"
    tps=$(pgbench -n -M prepared -c 1 -T "$duration" -f "$folder/batch.sql" | sed -n 's/^tps = \([0-9.]*\).*/\1/p')
    awk -v size="$size" -v tps="$tps" 'BEGIN { printf "%8d %14.0f %14.0f\n", size, tps, size * tps }'
done; done
