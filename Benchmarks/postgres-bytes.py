#!/usr/bin/env python3
"""What an event takes in PostgreSQL: bytes in the log's tables and in the WAL, with the program's own schema.

    postgres-bytes.py [EVENTS]      makes a PostgreSQL of its own, stores so many messages of 100 bytes, prints figures

Events go to random ones of a tenth as many conversations, 100 in a commit, as nodes under load store them. The tables
are those that the sources make. One client stores them without waiting for the disk: sizes are what is measured, not
time.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

TREE = pathlib.Path(__file__).resolve().parent.parent
SCHEMA = TREE / "Sources/Storage/MartletLog/Postgres/PostgresLogSchema.swift"
sys.path.insert(0, str(TREE / "deploy" / "cluster"))

import files  # noqa: E402
import postgres  # noqa: E402

BATCH = 100
# A text of 100 bytes as its content is stored: {"text":"…"}.
FILL = """
CREATE PROCEDURE fill(events INT, conversations INT) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO log_conversations (name) SELECT 'd:' || n || ':' || n + 100000 FROM generate_series(1, conversations) n;
    FOR batch IN 1..events / {batch} LOOP
        WITH picked AS (
            SELECT n, 1 + floor(random() * conversations)::bigint AS conversation FROM generate_series(1, {batch}) n),
        numbered AS (
            SELECT p.n, p.conversation,
                c.last_seq + row_number() OVER (PARTITION BY p.conversation ORDER BY p.n) AS seq,
                nextval('log_ordinals') AS ordinal, lpad(to_hex(batch * {batch} + p.n), 12, '0') AS grows
            FROM picked p JOIN log_conversations c ON c.id = p.conversation),
        stored AS (
            INSERT INTO log_events SELECT 1, conversation, seq, ordinal, 1795259000000 + n, 5, 1,
                substr(grows, 1, 8) || '-' || substr(grows, 9) || '-' || substr(gen_random_uuid()::text, 15),
                convert_to('{{"text":"' || repeat(md5(random()::text), 3) || 'four"}}', 'UTF8')
            FROM numbered),
        kept AS (
            INSERT INTO log_retries SELECT 1,
                substr(grows, 1, 8) || '-' || substr(grows, 9) || '-' || substr(gen_random_uuid()::text, 15),
                5, conversation, seq, ordinal, 1795259000000, (random() * 1e18)::bigint
            FROM numbered)
        UPDATE log_conversations c SET last_seq = n.seq, last_time = 1795259000000
        FROM (SELECT conversation, max(seq) AS seq FROM numbered GROUP BY conversation) n WHERE c.id = n.conversation;
        COMMIT;
    END LOOP;
END $$;
"""


def tables():
    """The statements of the log's two steps: the strings in their lists."""
    text = SCHEMA.read_text()
    found = re.findall(r'"""\n(.*?)"""|"(CREATE [^"\n]*)"', text, re.DOTALL)
    return ";\n".join(long or short for long, short in found) + ";\n"


def measure(events, folder, account, programs):
    def run(*command, text=None):
        done = subprocess.run(
            [str(programs / command[0]), *command[1:]],
            input=text,
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
            **account.options,
        )
        if done.returncode:
            sys.exit(done.stderr)
        return done.stdout

    data, port = f"{folder}/data", files.free_port(set())
    run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--encoding=UTF8", "--locale=C.UTF-8")
    run(
        "pg_ctl",
        "-D",
        data,
        "-w",
        "-l",
        f"{folder}/log",
        "-o",
        f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories= -c fsync=off -c synchronous_commit=off",
        "start",
    )
    try:

        def psql(text):
            return run(
                "psql",
                "-XAtq",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-p",
                str(port),
                "-U",
                "postgres",
                text=text,
            ).strip()

        psql(tables() + """
            CREATE TABLE log_events_1 PARTITION OF log_events FOR VALUES FROM (1) TO (2);
            CREATE TABLE log_retries_1 PARTITION OF log_retries FOR VALUES FROM (1) TO (2);
        """ + FILL.format(batch=BATCH))
        before = psql("CHECKPOINT; SELECT pg_current_wal_lsn()")
        psql(f"CALL fill({events}, {events // 10})")
        wal = int(psql(f"SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '{before}')::bigint"))
        sizes = {}
        for table in ["log_events_1", "log_retries_1", "log_conversations"]:
            sizes[table] = [
                int(size) for size in psql(f"SELECT pg_relation_size('{table}'), pg_indexes_size('{table}')").split("|")
            ]
        return sizes, wal
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")


def main():
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    account, programs = postgres.account(), postgres.programs()
    with tempfile.TemporaryDirectory() as folder:
        account.own(folder)
        sizes, wal = measure(events, folder, account, programs)
    print(f"{events:,} messages of 100 bytes in {events // 10:,} conversations, {BATCH} in a commit; bytes of one:")
    print("| where | table | indexes |\n| --- | --- | --- |")
    for table, (rows, indexes) in sizes.items():
        count = events // 10 if table == "log_conversations" else events
        name = table.removesuffix("_1") + (", of one conversation" if table == "log_conversations" else "")
        print(f"| {name} | {rows / count:.0f} | {indexes / count:.0f} |")
    print(f"| WAL | {wal / events:.0f} | |")


if __name__ == "__main__":
    main()
