"""What happens when parts of a cluster are away. Each test has a cluster of its own and the real binary."""

import json
import time

from cluster import SESSION_MS, Cluster, until
from people import APP, DATABASE, Asker, Balancer, Questions, Sender, call_lines, call_rows, get, post, rollbook

UNAVAILABLE = "InternalError.DBError"
# Until a server that was killed is not counted any more, and one that is back has caught up.
RECOVERY_MAX_S = 30
# How long a question may take that has to say that somebody does not answer.
PATIENCE_MAX_S = 30


def start_second():
    """Calls of these tests are over when they are reported."""
    return int(time.time()) - 3000


def all_there(cluster, asker, sender):
    """Every acknowledged call is on every replica, whole, and shown right."""
    assert not sender.unexpected, sender.unexpected[:3]
    acknowledged = dict(sender.acknowledged)
    for server in cluster.servers:
        rows = server.query(f"SELECT room, uniqExact(event) FROM {DATABASE}.events WHERE app = {APP} GROUP BY room")
        stored = dict(row.split("\t") for row in rows.splitlines())
        lost = [room for room in acknowledged if stored.get(room) != "8"]
        assert not lost, f"{server.name} lacks {len(lost)} of {len(acknowledged)} acknowledged calls: {lost[:5]}"
    wrong = {room: rows for room, start_s in acknowledged.items() if (rows := asker.users(room, start_s)) != call_rows(start_s)}
    assert not wrong, wrong
    assert asker.rooms() >= len(acknowledged), (asker.rooms(), len(acknowledged))


def taken_again(endpoint, lines):
    """Posts until it is acknowledged, as a sender does."""
    return until(lambda: post(endpoint, lines)[0] == 200, RECOVERY_MAX_S, "ingest works again")


def a_replica_that_is_killed_loses_nothing(binary):
    """Each in turn, while calls are reported and asked about."""
    start_s = start_second()
    with Cluster("replicas") as cluster, rollbook(binary, cluster) as server:
        asker = Asker(server.endpoint, start_s)
        taken_again(server.endpoint, call_lines("asked", start_s))
        with Questions(server.endpoint, start_s, "asked") as questions, Sender(server.endpoint, start_s) as sender:
            for victim in cluster.servers:
                before = sender.seen()
                until(lambda: sender.seen() >= before + 5, RECOVERY_MAX_S, "calls are taken")  # pylint: disable=cell-var-from-loop
                victim.kill()
                refused = sender.refused
                until(lambda: sender.refused > refused + 3, RECOVERY_MAX_S, "calls are refused")  # pylint: disable=cell-var-from-loop
                victim.start()
                during = sender.seen()
                until(lambda: sender.seen() >= during + 5, RECOVERY_MAX_S, "calls are taken again")  # pylint: disable=cell-var-from-loop
        assert not questions.wrong and not questions.cut and questions.answered > 20, (questions.answered, questions.cut, questions.wrong[:3])
        all_there(cluster, asker, sender)
        return f"{sender.seen()} calls acknowledged, {sender.refused} times refused, {questions.answered} answers, all right"


def without_a_quorum_ingest_is_refused(binary):
    """And the same delivery is taken once it is there again."""
    start_s = start_second()
    with Cluster("replicas") as cluster, rollbook(binary, cluster) as server:
        asker, before, after = Asker(server.endpoint, start_s), call_lines("before", start_s), call_lines("after", start_s)
        taken_again(server.endpoint, before)
        cluster.servers[1].kill()
        # At once, while ZooKeeper still counts it, and when it does not any more.
        for wait_s in (0, 2 * SESSION_MS / 1000):
            time.sleep(wait_s)
            status, text = post(server.endpoint, after)
            assert status == 503, (status, text)
        assert asker.users("before", start_s) == call_rows(start_s)
        cluster.servers[1].start()
        taken_again(server.endpoint, after)
        status, text = post(server.endpoint, after)
        assert status == 200 and json.loads(text)["new"] == 0, text
        assert asker.users("after", start_s) == call_rows(start_s)
        assert asker.rooms() == 2


def without_zookeeper_questions_go_on(binary):
    """Ingest is refused, and works again without a restart."""
    start_s = start_second()
    with Cluster("replicas") as cluster, rollbook(binary, cluster) as server:
        asker = Asker(server.endpoint, start_s)
        taken_again(server.endpoint, call_lines("asked", start_s))
        cluster.zookeeper.kill()
        with Questions(server.endpoint, start_s, "asked") as questions:
            status, text = post(server.endpoint, call_lines("later", start_s))
            assert status == 503, (status, text)
            time.sleep(2 * SESSION_MS / 1000)
            status, text = post(server.endpoint, call_lines("later", start_s))
            assert status == 503, (status, text)
            until(lambda: questions.answered > 20, RECOVERY_MAX_S, "questions are answered")
        assert not questions.wrong and not questions.cut, (questions.cut, questions.wrong[:3])
        cluster.zookeeper.start()
        taken_again(server.endpoint, call_lines("later", start_s))
        assert asker.users("later", start_s) == call_rows(start_s)
        assert asker.users("asked", start_s) == call_rows(start_s)


def without_a_shard_no_answer_is_half(binary):
    """What needs the shard fails and says so; what does not is answered."""
    start_s = start_second()
    with Cluster("shards") as cluster, rollbook(binary, cluster) as server:
        asker = Asker(server.endpoint, start_s)
        names = [f"room-{n}" for n in range(16)]
        taken_again(server.endpoint, [line for name in names for line in call_lines(name, start_s)])
        stored = [set(one.query(f"SELECT DISTINCT room FROM {DATABASE}.events").split()) for one in cluster.servers]
        assert stored[0] and stored[1] and not stored[0] & stored[1], stored
        assert stored[0] | stored[1] == set(names), stored
        here, there = sorted(stored[0]), sorted(stored[1])
        assert (listed := asker.rooms()) == 16, listed
        away = cluster.servers[1]
        one, all_of_them = (asker.users, (there[0], start_s)), (asker.rooms, ())
        # Of a server that is gone it is known at once; one that only does not answer is waited for.
        for lose, bring_back, questions in ((away.kill, away.start, (one, all_of_them)), (away.pause, away.resume, (all_of_them,))):
            lose()
            for room in here:
                assert asker.users(room, start_s) == call_rows(start_s), room
            for ask, asked in questions:
                begun = time.monotonic()
                assert (code := asker.error(ask, *asked)) == UNAVAILABLE, (lose.__name__, asked, code)
                assert time.monotonic() - begun < PATIENCE_MAX_S, f"{time.monotonic() - begun} s until {code}"
            status, text = post(server.endpoint, call_lines(there[0], start_s + 500))
            assert status == 503, (status, text)
            assert get(server.endpoint, "/readyz")[0] == 503
            bring_back()
            taken_again(server.endpoint, call_lines(there[0], start_s + 500))
            until(lambda: asker.error(asker.rooms) is None, RECOVERY_MAX_S, "calls are listed again")
            until(lambda: get(server.endpoint, "/readyz")[0] == 200, RECOVERY_MAX_S, "it is ready again")
        assert asker.rooms() == 17
        for room in names:
            assert asker.users(room, start_s) == call_rows(start_s), room


def of_three_rollbooks_one_may_be_killed(binary):
    """Behind a balancer, under load; then there are two."""
    start_s = start_second()
    with Cluster("replicas") as cluster, rollbook(binary, cluster, "one") as one, \
            rollbook(binary, cluster, "two") as two, rollbook(binary, cluster, "three") as three, \
            Balancer(cluster.folder / "haproxy", [one.endpoint, two.endpoint, three.endpoint]) as balancer:
        asker = Asker(balancer.endpoint, start_s)
        taken_again(balancer.endpoint, call_lines("asked", start_s))
        with Questions(balancer.endpoint, start_s, "asked", threads=4) as questions, Sender(balancer.endpoint, start_s) as sender:
            until(lambda: sender.seen() >= 10 and questions.answered > 50, RECOVERY_MAX_S, "load")
            two.kill()
            during, answered = sender.seen(), questions.answered
            until(lambda: sender.seen() >= during + 10 and questions.answered > answered + 200, RECOVERY_MAX_S, "the others go on")
        assert not questions.wrong, f"{len(questions.wrong)} of {questions.answered}: {questions.wrong[:3]}"
        # HAProxy asks another node if a connection ends before the answer, but not if it is reset: what the killed one was at may be cut.
        assert questions.cut <= 4, questions.cut
        all_there(cluster, asker, sender)
        # Each of the others tells the same.
        for server in (one, three):
            assert Asker(server.endpoint, start_s).users("asked", start_s) == call_rows(start_s)
        return f"{questions.answered} answers, {questions.cut} cut off, {len(sender.acknowledged)} calls acknowledged, {sender.refused} times refused"


TESTS = [
    a_replica_that_is_killed_loses_nothing, without_a_quorum_ingest_is_refused, without_zookeeper_questions_go_on,
    without_a_shard_no_answer_is_half, of_three_rollbooks_one_may_be_killed,
]
