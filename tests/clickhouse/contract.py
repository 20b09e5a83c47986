"""The suite that every store passes, on real servers: `cargo test` with their addresses in its environment."""

import os
import re
import subprocess

from cluster import Cluster
from people import HERE

ROOT = HERE.parent.parent
# Each of the suite's tests asks more than this of the servers. That fewer statements arrived means that they were not asked.
STATEMENTS_MIN = 500
SUITE_MAX_S = 1200
# They wait for answers most of the time, so that there may be more of them than cores.
THREADS = "6"
# Generated histories of each kind: every one makes tables and asks some hundred times. Without this there are sixteen.
CASES = "5"


def suite(layout, timezone="UTC"):
    """Runs it on servers of a kind, and proves that it was these."""
    with Cluster(layout, timezone=timezone) as cluster:
        before = [server.counters() for server in cluster.servers]
        environment = os.environ | {"ROLLBOOK_TEST_CLICKHOUSE": cluster.urls, "ROLLBOOK_TEST_CLICKHOUSE_CLUSTER": cluster.name,
                                    "RUST_TEST_THREADS": THREADS,
                                    "PROPTEST_CASES": os.environ.get("PROPTEST_CASES", CASES)}
        command = [os.environ.get("CARGO", "cargo"), "test", "--locked", "--lib", "store::contract::"]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=SUITE_MAX_S, check=False)
        assert done.returncode == 0, done.stdout[-8000:]
        passed, ignored = re.search(r"^test result: ok\. (\d+) passed; 0 failed; (\d+) ignored", done.stdout, re.M).groups()
        assert int(passed) > 20 and ignored == "0", done.stdout[-2000:]
        asked = []
        for server, old in zip(cluster.servers, before):
            new = server.counters()
            counts = {name: new.get(name, 0) - old.get(name, 0) for name in ("SelectQuery", "InsertQuery")}
            assert counts["SelectQuery"] > STATEMENTS_MIN, f"{server.name} was not asked: {counts}"
            asked.append(f"{counts['SelectQuery']} questions and {counts['InsertQuery']} inserts")
        # Of replicas the first may get all inserts; of shards each gets its own.
        inserts = sum(server.counters().get("InsertQuery", 0) for server in cluster.servers)
        assert inserts > STATEMENTS_MIN, inserts
        return f"{passed} tests; {', '.join(asked)}"


def the_suite_on_one_server(_binary):
    """In a zone of time in which no rule may depend on the server's."""
    return suite("plain", "Asia/Shanghai")


def the_suite_on_two_replicas(_binary):
    """With ZooKeeper, and inserts that wait for both."""
    return suite("replicas")


def the_suite_on_two_shards(_binary):
    """Whose answers are put together."""
    return suite("shards")


def the_suite_on_the_current_engine(_binary):
    """The same statements, eight years later."""
    return suite("current")


TESTS = [the_suite_on_one_server, the_suite_on_two_replicas, the_suite_on_two_shards]
# In process it answers one statement after the other, so that it is busy with one core all the time.
BESIDE = [the_suite_on_the_current_engine]
