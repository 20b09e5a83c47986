"""`rollbook copy`, both ways, also killed in the middle."""

import json
import os
import random
import subprocess
import time

from cluster import Cluster, die_with_parent, until
from people import APP, OTHER_APP, exported, write_settings

SESSIONS = int(os.environ.get("SESSIONS", "20000"))
WHAT = ("users", "calls", "events", "samples")
DAY_S = 86400


def story(path, sessions):
    """Calls of four days and two applications, whose users come back; orphans, attributes, restarts, unknown kinds, measurements."""
    chance, written, room = random.Random(5), 0, 0
    start_s = int(time.time()) // DAY_S * DAY_S - 5 * DAY_S
    with path.open("w") as file:
        def line(app, kind, at_ms, **more):
            file.write(json.dumps({"app": app, "kind": kind, "at_ms": at_ms, **more}) + "\n")
        while written < sessions:
            app, name, room = chance.choice((APP, APP, OTHER_APP)), f"room{chance.randrange(3000)}", room + 1
            at = (start_s + chance.randrange(4 * DAY_S)) * 1000 + chance.randrange(1000)
            line(app, "room_created", at, room=name, user="u0")
            for user in range(1 + int(chance.paretovariate(1.2)) % 200):
                joined = at + chance.randrange(600_000)
                line(app, "joined", joined, room=name, user=f"u{user}", attrs={"device": "web"} if user % 3 else {})
                line(app, "left", joined + chance.randrange(3_000_000), room=name, user=f"u{user}")
                written += 1
            line(app, "room_destroyed", at + 3_700_000, room=name)
            if room % 50 == 0:
                line(app, "left", at + 100, room=f"nobody{room}", user="orphan")
                line(app, "attributes", at + 200, room=name, user="u0", attrs={"sdk_version": f"1.{room}"})
                line(app, "emitter_reset", at, source="neutral", instance=f"sfu-{room % 7}")
                times = [at + 2000 * n for n in range(30)]
                line(app, "samples", times, room=name, user="u0", connection="PC_0", values={"rtt": [40 + n / 7 for n in range(30)]})
        # Across midnight, and open still.
        line(APP, "joined", (start_s + DAY_S - 5) * 1000, room="night", user="owl")
        line(APP, "left", (start_s + DAY_S + 5) * 1000, room="night", user="owl")
        line(APP, "joined", (start_s + 2 * DAY_S) * 1000, room="open", user="forever")


def run(binary, *arguments):
    """A command that must succeed; what it printed."""
    done = subprocess.run([binary, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout, done.stderr


def copy_killed_in_the_middle(binary, config, folder, way):
    """Kills a copy once it has kept something, but not all; then lets it go on."""
    command = [binary, "copy", "--config", str(config), "--from", way[0], "--to", way[1]]
    memo = folder / f"copy-{way[0]}-{way[1]}"
    # pylint: disable=consider-using-with
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=die_with_parent)
    try:
        until(lambda: memo.exists() or process.poll() is not None, 600, "some of the copy is kept")
        assert process.poll() is None, f"the copy had ended before it was killed: {process.stderr.read().decode()}"
    finally:
        process.kill()
        process.wait()
    begun = time.monotonic()
    printed, said = run(binary, *command[1:])
    assert "going on behind" in said, said
    assert "DIFFERENT" not in printed and printed.count("equal\n") >= 4, printed
    assert not memo.exists()
    return time.monotonic() - begun, printed


def everything(binary, config):
    """All exports of both applications."""
    return {(what, app): exported(binary, config, what, app) for what in WHAT for app in (APP, OTHER_APP)}


def there_and_back(binary, layout="plain"):
    """From the embedded store into ClickHouse, and from there into another embedded one."""
    with Cluster(layout) as cluster:
        over = write_settings(cluster, "there")
        data = cluster.folder / "there-data"
        embedded = cluster.folder / "embedded.toml"
        embedded.write_text("\n".join(line for line in over.read_text().splitlines() if not line.startswith("store = ")))
        embedded.chmod(0o600)
        events = cluster.folder / "events.ndjson"
        story(events, SESSIONS)
        run(binary, "import", "events", str(events), "--config", str(embedded))
        truth = everything(binary, embedded)
        assert truth["users", APP].count(b"\n") + truth["users", OTHER_APP].count(b"\n") >= SESSIONS
        there_s, printed = copy_killed_in_the_middle(binary, over, data, ("embedded", "clickhouse"))
        unlike = [of for of, lines in everything(binary, over).items() if lines != truth[of]]
        assert not unlike, unlike

        back = write_settings(cluster, "back")
        back_s, _ = copy_killed_in_the_middle(binary, back, cluster.folder / "back-data", ("clickhouse", "embedded"))
        embedded.write_text(embedded.read_text().replace("there-data", "back-data"))
        unlike = [of for of, lines in everything(binary, embedded).items() if lines != truth[of]]
        assert not unlike, unlike

        return f"{SESSIONS} sessions there in {there_s:.1f} s and back in {back_s:.1f} s\n{printed}"


TESTS = [there_and_back]
