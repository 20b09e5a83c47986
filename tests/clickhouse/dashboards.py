"""Every statement of the Grafana dashboard over the tables, on Debian's 18.16, over the tables of all shards, and on the current engine."""

import json
import time

from cluster import Cluster
from people import APP, DATABASE, HERE, OTHER_APP, post, rollbook
from people import call_lines, TOKEN

BOARD = HERE.parent.parent / "deploy" / "grafana" / "dashboards" / "calls.json"
# Of a server that no media server was restarted on there is nothing to show.
STEP_MS = 60_000


def statements():
    """Title and statement of each panel, and of each variable that is asked for."""
    board = json.loads(BOARD.read_text())
    asked = [(panel["title"], target["rawSql"]) for panel in board["panels"] for target in panel.get("targets", [])]
    asked += [(one["name"], one["query"]["rawSql"]) for one in board["templating"]["list"] if one["type"] == "query"]
    assert len(asked) > 15, asked
    return asked


def expanded(sql, suffix, from_s, to_s):
    """As Grafana sends it."""
    values = {"${database}": DATABASE, "${all}": suffix, "${app:csv}": f"{APP},{OTHER_APP}",
              "${__from}": str(from_s * 1000), "${__to}": str(to_s * 1000), "$__interval_ms": str(STEP_MS)}
    for name, value in values.items():
        sql = sql.replace(name, value)
    assert "$" not in sql, sql
    return sql


def tell(endpoint, start_s):
    """A call that is over, one that runs, measurements, a restart."""
    post_all = [
        *call_lines("over", start_s), {"kind": "joined", "room": "runs", "user": "u0", "at_s": start_s, "attrs": {"device": "web"}},
        {"kind": "emitter_reset", "source": "neutral", "instance": "sfu-1", "at_s": start_s + 5},
        *({"kind": "samples", "room": "over", "user": "u0", "at_ms": [(start_s + n) * 1000 for n in range(20)],
           "values": {name: [40 + n for n in range(20)]}} for name in ("rtt", "sysCpu")),
    ]
    status, text = post(endpoint, post_all, TOKEN)
    assert status == 200, text


def check(binary, layout, suffix):
    """Each gives rows."""
    start_s = int(time.time()) - 3000
    with Cluster(layout) as cluster, rollbook(binary, cluster) as server:
        tell(server.endpoint, start_s)
        empty = []
        for title, sql in statements():
            answer = cluster.servers[0].query(expanded(sql, suffix, start_s - 60, start_s + 3600) + " FORMAT TabSeparatedWithNames")
            if answer.count("\n") < 2:
                empty.append(title)
        assert not empty, empty
        calls = cluster.servers[0].query(expanded(dict(statements())["Calls"], suffix, start_s - 60, start_s + 3600))
        assert calls.strip() == "2", calls
        return f"{len(statements())} statements"


def the_dashboard_over_the_tables_of_a_server(binary):
    """Of Debian's version."""
    return check(binary, "plain", "")


def the_dashboard_over_the_tables_of_all_shards(binary):
    """Of Debian's version, too; one server asks the other."""
    return check(binary, "shards", "_all")


def the_dashboard_on_the_current_engine(binary):
    """As it is sent to a server of today."""
    return check(binary, "current", "")


TESTS = [the_dashboard_over_the_tables_of_a_server, the_dashboard_over_the_tables_of_all_shards, the_dashboard_on_the_current_engine]
