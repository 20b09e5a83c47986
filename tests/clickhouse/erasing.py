"""`rollbook forget` over real servers, and tables of an older rollbook that are brought up to it."""

import json
import subprocess

from cluster import Cluster
from faults import start_second, taken_again
from people import APP, DATABASE, Asker, call_lines, call_rows, exported, post, rollbook, write_settings

TABLES = ("events", "resets", "calls", "sessions", "orphans", "samples", "erased")


def holding(server, name):
    """The tables of one server in which any column of text holds a name."""
    found = []
    for table in TABLES:
        columns = server.query(f"SELECT name FROM system.columns WHERE database = '{DATABASE}' AND table = '{table}' AND type = 'String'").split()
        assert columns, f"{server.name} has no table {table}"
        where = " OR ".join(f"position({column}, '{name}') > 0" for column in columns)
        if server.query(f"SELECT count() FROM {DATABASE}.{table} WHERE {where}").strip() != "0":
            found.append(table)
    return found


def a_person_is_erased_while_two_rollbooks_serve(binary):
    """One command erases from both replicas; nobody brings the person back through the other rollbook."""
    start_s = start_second()
    # A name that is nowhere by itself, and the creator of its room.
    def renamed(lines):
        return json.loads(json.dumps(lines).replace('"u0"', '"zacharias"'))
    with Cluster("replicas") as cluster, rollbook(binary, cluster, "one") as one, rollbook(binary, cluster, "two") as two:
        told = renamed(call_lines("asked", start_s))
        told.append({"kind": "samples", "room": "asked", "user": "u1", "peer": "zacharias", "at_ms": [start_s * 1000 + 5000], "values": {"rtt": [7]}})
        told.append({"kind": "left", "room": "nobody", "user": "zacharias", "at_s": start_s})
        taken_again(one.endpoint, told)
        taken_again(two.endpoint, call_lines("others", start_s))
        assert all(holding(server, "zacharias") for server in cluster.servers)
        settings = write_settings(cluster, "one")
        command = [binary, "forget", "--config", str(settings), "--app", str(APP), "--user", "zacharias"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        receipt = json.loads(done.stdout)
        assert [receipt[what] for what in ("calls", "sessions", "events", "values")] == [1, 1, 4, 1], receipt
        assert "zacharias" not in done.stdout and len(receipt["request_sha256"]) == 64, receipt
        for repeated in (False, True):
            if repeated:
                assert post(two.endpoint, told)[0] == 200
            for server in cluster.servers:
                assert not holding(server, "zacharias"), (repeated, server.name, holding(server, "zacharias"))
            for endpoint in (one.endpoint, two.endpoint):
                asker = Asker(endpoint, start_s)
                assert asker.users("asked", start_s) == call_rows(start_s)[:-1], repeated
                assert asker.users("others", start_s) == call_rows(start_s)
                assert asker.rooms() == 2
        assert b"zacharias" not in exported(binary, settings, "events") + exported(binary, settings, "calls")
        return done.stderr.strip().splitlines()[-1]


def tables_of_an_older_rollbook_are_brought_up(binary):
    """Version 1 had no `erased`; a newer version than ours is refused."""
    start_s = start_second()
    with Cluster("plain") as cluster:
        server = cluster.servers[0]
        with rollbook(binary, cluster) as ours:
            taken_again(ours.endpoint, call_lines("asked", start_s))
        for statement in (f"DROP TABLE {DATABASE}.erased", f"DROP TABLE {DATABASE}.meta",
                          f"CREATE TABLE {DATABASE}.meta (version UInt64, shards String) ENGINE = ReplacingMergeTree() ORDER BY (version, shards)",
                          f"INSERT INTO {DATABASE}.meta (version, shards) VALUES (1, '')"):
            server.query(statement)
        with rollbook(binary, cluster) as ours:
            taken_again(ours.endpoint, call_lines("again", start_s))
            assert Asker(ours.endpoint, start_s).users("asked", start_s) == call_rows(start_s)
        assert server.query(f"SELECT max(version) FROM {DATABASE}.meta").strip() == "2"
        server.query(f"INSERT INTO {DATABASE}.meta (version, shards) VALUES (3, '')")
        command = [binary, "check", "--config", str(write_settings(cluster))]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode != 0 and "have version 3, and this rollbook knows 2" in done.stdout + done.stderr, done
        return None


TESTS = [a_person_is_erased_while_two_rollbooks_serve, tables_of_an_older_rollbook_are_brought_up]
