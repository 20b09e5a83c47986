"""ClickHouse on loopback, in a folder and on ports of its own: Debian's 18.16, as one server or as a cluster of two with
ZooKeeper, or the current engine.

    python3 tests/clickhouse/cluster.py plain|current|replicas|shards

starts one, prints its URLs and runs until it is told to stop; the tests use the classes. `install` in this folder brings
the packages. Every process ends with the one that started it, even if that is killed.
"""

import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
TEST = HERE.parent.parent / ".test"
CLUSTER = "rollbook"
# Which shard and which replica of it each server is.
LAYOUTS = {
    "plain": [None],
    "current": [None],
    "replicas": [("1", "a"), ("1", "b")],
    "shards": [("1", "a"), ("2", "a")],
}
START_MAX_S = 60
STOP_MAX_S = 30
# A server that was killed counts as alive until its session has ended.
SESSION_MS = 3000
# What the main class of ZooKeeper 3.8 needs of Debian's `libzookeeper-java` and its dependencies.
JARS = ["zookeeper", "zookeeper-jute", "slf4j-api", "slf4j-simple", "netty-all", "metrics-core", "snappy-java", "commons-io", "commons-cli"]


def free_ports(count):
    """Ports that nobody listens on, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def until(holds, seconds, what):
    """Waits until something holds; what it gave."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if got := holds():
            return got
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def die_with_parent():
    """Has the kernel kill this process when its parent is gone."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Process:
    """A server that can be killed, paused and started again."""

    def __init__(self, name, folder, command):
        self.name, self.folder, self.command = name, folder, command
        self.log, self.process, self.environment = folder / "output.log", None, {}

    def launch(self):
        """Starts it; whether it answers is not known yet."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env=os.environ | self.environment, preexec_fn=die_with_parent, start_new_session=True)

    def start(self):
        """Starts it and waits until it answers."""
        self.launch()
        self.wait()

    def wait(self):
        """Until it answers; what it said if it never does."""
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.said()}")
            return self.answers()
        try:
            until(ready, START_MAX_S, f"{self.name} answers")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said()}") from error

    def answers(self):
        """Whether it can be asked something."""
        raise NotImplementedError

    def said(self):
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def kill(self):
        """Ends it at once, as a power cut would."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        """Asks it to end; kills it if it does not."""
        if not self.process or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(STOP_MAX_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def pause(self):
        """Keeps its connections and answers nothing, as a machine that swaps."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        """Goes on."""
        self.process.send_signal(signal.SIGCONT)


class ZooKeeper(Process):
    """One ZooKeeper."""

    def __init__(self, folder, port):
        folder.mkdir()
        (folder / "data").mkdir()
        (folder / "zoo.cfg").write_text(
            f"tickTime=500\ndataDir={folder}/data\nclientPort={port}\nclientPortAddress=127.0.0.1\n"
            f"admin.enableServer=false\nmaxClientCnxns=0\n4lw.commands.whitelist=srvr\nforceSync=no\n")
        classes = ":".join(f"/usr/share/java/{jar}.jar" for jar in JARS)
        super().__init__("ZooKeeper", folder, [
            "java", "-Xmx128m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", classes,
            "org.apache.zookeeper.server.ZooKeeperServerMain", str(folder / "zoo.cfg")])
        self.port = port

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as asked:
                asked.sendall(b"srvr")
                # `ruok` says yes before it serves.
                return asked.recv(64).startswith(b"Zookeeper version")
        except OSError:
            return False


class Asked(Process):
    """Something that takes statements by HTTP at its `url`."""

    def answers(self):
        try:
            return self.query("SELECT 1", timeout=2) == "1\n"
        except (OSError, AssertionError):
            return False

    def query(self, sql, timeout=60, **settings):
        """What a statement gives, as text."""
        where = f"{self.url}/?{urllib.parse.urlencode(settings)}"
        try:
            with urllib.request.urlopen(urllib.request.Request(where, sql.encode(), method="POST"), timeout=timeout) as reply:
                return reply.read().decode()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{sql}: {error.read().decode(errors='replace')}") from error

    def counters(self):
        """Statements that it was given so far: all, reading ones, writing ones."""
        rows = self.query("SELECT event, value FROM system.events WHERE event IN ('Query', 'SelectQuery', 'InsertQuery')")
        return {name: int(value) for name, value in (row.split("\t") for row in rows.splitlines())}


class ClickHouse(Asked):
    """One server. `place` is its shard and replica, and `peers` all of the cluster: (shard, replica, port)."""

    def __init__(self, name, folder, ports, place, peers, zookeeper_port, timezone):
        folder.mkdir()
        self.http_port, self.tcp_port, self.interserver_port = ports
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.place = place
        (folder / "users.xml").write_text(USERS)
        (folder / "config.xml").write_text(self.settings(folder, place, peers, zookeeper_port, timezone))
        server = shutil.which("clickhouse-server", path=f"{os.environ['PATH']}:/usr/sbin")
        super().__init__(name, folder, [server, f"--config-file={folder}/config.xml"])
        self.log = folder / "server.log"

    def settings(self, folder, place, peers, zookeeper_port, timezone):
        """Its `config.xml`."""
        text = f"""<yandex>
    <logger><level>information</level><log>{folder}/server.log</log><errorlog>{folder}/error.log</errorlog></logger>
    <http_port>{self.http_port}</http_port>
    <tcp_port>{self.tcp_port}</tcp_port>
    <interserver_http_port>{self.interserver_port}</interserver_http_port>
    <interserver_http_host>127.0.0.1</interserver_http_host>
    <listen_host>127.0.0.1</listen_host>
    <path>{folder}/data/</path>
    <tmp_path>{folder}/data/tmp/</tmp_path>
    <user_files_path>{folder}/data/user_files/</user_files_path>
    <format_schema_path>{folder}/data/format_schemas/</format_schema_path>
    <users_config>{folder}/users.xml</users_config>
    <timezone>{timezone}</timezone>
    <mark_cache_size>67108864</mark_cache_size>
    <uncompressed_cache_size>0</uncompressed_cache_size>
    <keep_alive_timeout>10</keep_alive_timeout>
"""
        if place:
            shards = {}
            for shard, _, port in peers:
                shards.setdefault(shard, []).append(f"<replica><host>127.0.0.1</host><port>{port}</port></replica>")
            shards = "".join(f"<shard><internal_replication>true</internal_replication>{''.join(of)}</shard>" for of in shards.values())
            text += f"""    <remote_servers><{CLUSTER}>{shards}</{CLUSTER}></remote_servers>
    <zookeeper>
        <node><host>127.0.0.1</host><port>{zookeeper_port}</port></node>
        <session_timeout_ms>{SESSION_MS}</session_timeout_ms>
    </zookeeper>
    <macros><shard>{place[0]}</shard><replica>{place[1]}</replica></macros>
    <distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>
"""
        return text + "</yandex>\n"

    def answers(self):
        # 18.16 crashes of `ON CLUSTER` until it has found ZooKeeper and made this.
        ready = "SELECT name FROM system.zookeeper WHERE path = '/clickhouse/task_queue'"
        try:
            return super().answers() and (not self.place or self.query(ready, timeout=2) == "ddl\n")
        except (OSError, AssertionError):
            return False


class Bridge(Asked):
    """The current engine behind `bridge.py`."""

    def __init__(self, folder, port):
        folder.mkdir()
        self.url = f"http://127.0.0.1:{port}"
        super().__init__("the bridge", folder, [TEST / "py-chdb/bin/python", HERE / "bridge.py", str(port), folder])


USERS = """<yandex>
    <profiles><default>
        <load_balancing>in_order</load_balancing>
        <log_queries>0</log_queries>
        <fsync_metadata>0</fsync_metadata>
    </default></profiles>
    <users><default>
        <password></password>
        <networks><ip>127.0.0.1</ip></networks>
        <profile>default</profile><quota>default</quota>
    </default></users>
    <quotas><default></default></quotas>
</yandex>
"""


class Cluster:
    """The servers of a layout."""

    def __init__(self, layout, folder=None, timezone="UTC"):
        places = LAYOUTS[layout]
        TEST.mkdir(exist_ok=True)
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix=f"clickhouse-{layout}-", dir=TEST))
        self.layout, self.name = layout, CLUSTER if places[0] else ""
        ports = free_ports(3 * len(places) + 1)
        self.zookeeper = ZooKeeper(self.folder / "zookeeper", ports[-1]) if places[0] else None
        peers = [(*place, ports[3 * at + 1]) for at, place in enumerate(places) if place]
        self.servers = [Bridge(self.folder / "server-1", ports[0])] if layout == "current" else [
            ClickHouse(f"ClickHouse {at + 1}", self.folder / f"server-{at + 1}", ports[3 * at:3 * at + 3], place, peers, ports[-1], timezone)
            for at, place in enumerate(places)]

    @property
    def urls(self):
        """Where the servers are asked, separated by commas."""
        return ",".join(server.url for server in self.servers)

    def processes(self):
        """All of them, in the order they start."""
        return [self.zookeeper, *self.servers] if self.zookeeper else self.servers

    def __enter__(self):
        try:
            if self.zookeeper:
                self.zookeeper.start()
            for server in self.servers:
                server.launch()
            for server in self.servers:
                server.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        """Nothing of it is worth keeping, so nothing is asked to end."""
        for process in self.processes():
            process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    """Runs one until it is told to stop."""
    if len(sys.argv) != 2 or sys.argv[1] not in LAYOUTS:
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Cluster(sys.argv[1]) as cluster:
        print(f"ROLLBOOK_TEST_CLICKHOUSE={cluster.urls}", flush=True)
        if cluster.name:
            print(f"ROLLBOOK_TEST_CLICKHOUSE_CLUSTER={cluster.name}", flush=True)
        print(f"cluster: logs are in {cluster.folder}, process {os.getpid()}", file=sys.stderr, flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
