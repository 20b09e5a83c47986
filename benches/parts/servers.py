"""The servers that are measured: started on loopback, read from /proc, ended."""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")
CLICKHOUSE = "clickhouse-server"


def say(text):
    """Talk, on stderr; the table is the output."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def run(*command, **options):
    """Runs a command; gives what it printed. A failure ends the bench."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"bench: {command[0]} {command[1]} failed ({done.returncode})\n{done.stdout[-2000:]}")
    return done.stdout.strip()


def free_port():
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def fields(pid):
    """The fields of /proc/PID/stat after the name: state, parent, …"""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def cpu_s(pid):
    """User and system seconds of one process, threads included."""
    found = fields(pid)
    return (int(found[11]) + int(found[12])) / os.sysconf("SC_CLK_TCK") if found else 0.0


class Process:
    """A server, from its start to its end."""

    def __init__(self, name, command, port, log, environment=None, is_ready=None):
        self.name, self.address, self.log = name, f"127.0.0.1:{port}", log
        begun = time.monotonic()
        with log.open("ab") as out:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            env=os.environ | (environment or {}))
        while not (is_ready or Process.listens)(self):
            if self.process.poll() is not None or time.monotonic() - begun > 120:
                raise SystemExit(f"bench: {name} did not start; see {log}")
            time.sleep(0.002)
        self.start_s = time.monotonic() - begun

    def listens(self):
        """Whether its port is open."""
        try:
            socket.create_connection(tuple(self.address.split(":")), 1).close()
            return True
        except OSError:
            return False

    def answers(self):
        """Whether `/readyz` says yes."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/readyz", timeout=60):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False

    def cpu_s(self):
        """User and system time so far."""
        return cpu_s(self.process.pid)

    def status_mb(self, field):
        """A size of /proc/PID/status."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) / 1024

    def memory_mb(self):
        """The most memory it ever held."""
        return self.status_mb("VmHWM")

    def written(self):
        """Bytes that it gave to the disk."""
        lines = pathlib.Path(f"/proc/{self.process.pid}/io").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("write_bytes")).split()[1])

    def said(self, text, seconds=1_800):
        """Waits until a line of its log has a text."""
        begun = time.monotonic()
        while text not in self.log.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() - begun > seconds:
                raise SystemExit(f"bench: {self.name} did not say {text!r}; see {self.log}")
            time.sleep(0.05)

    def stop(self, how=signal.SIGTERM):
        """Ends it."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def installed(package, is_there):
    """Installs a package of Debian, where that may be done."""
    if is_there:
        return
    say(f"installing {package}")
    if os.getuid() != 0:
        raise SystemExit(f"bench: install Debian's {package} and run this again")
    run("apt-get", "update", "-q")
    run("apt-get", "install", "-qy", package, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})


def is_known(user):
    """Whether there is such a user."""
    try:
        return bool(pwd.getpwnam(user))
    except KeyError:
        return False


class Postgres:
    """Debian's PostgreSQL 15 in a folder of its own, as an unprivileged user, on loopback."""

    def __init__(self, folder):
        installed("postgresql-15", (POSTGRES / "initdb").exists())
        self.as_user = []
        self.folder, self.port = folder / "postgres", free_port()
        self.folder.mkdir(mode=0o700)
        if os.getuid() == 0:
            user = next((name for name in ("postgres", "nobody") if is_known(name)), None)
            self.as_user = ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]
            folder.chmod(0o755)
            if subprocess.run([*self.as_user, "test", "-x", str(folder)], check=False).returncode != 0:
                self.folder.rmdir()
                self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rollbook-bench-", dir="/var/tmp"))
            shutil.chown(self.folder, user)
        self.data = self.folder / "data"
        here = {"cwd": self.folder, "stderr": subprocess.DEVNULL}
        run(*self.as_user, POSTGRES / "initdb", "-D", self.data, "-U", "bench", "--auth=trust", "--encoding=UTF8", "--locale=C", **here)
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "shared_buffers": "2GB",
                    "max_wal_size": "4GB", "synchronous_commit": "on", "jit": "off", "maintenance_work_mem": "512MB"}
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (folder / "postgres.log").open("wb") as log:
            self.process = subprocess.Popen([*self.as_user, str(POSTGRES / "postgres"), "-D", str(self.data), *flags],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        self.place = f"host=127.0.0.1 port={self.port} user=bench dbname=postgres"
        for _ in range(200):
            if subprocess.run([POSTGRES / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False).returncode == 0:
                return
            time.sleep(0.05)
        raise SystemExit("bench: PostgreSQL did not start")

    def ask(self, statements):
        """Runs statements."""
        return run(POSTGRES / "psql", "-q", "-X", "-t", "-v", "ON_ERROR_STOP=1", self.place, "-f", "-", input=statements)

    def cpu_s(self):
        """All its processes, those of connections that have ended too."""
        server = self.process.pid
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        found = fields(server)
        ended = (int(found[13]) + int(found[14])) / os.sysconf("SC_CLK_TCK") if found else 0.0
        return ended + cpu_s(server) + sum(cpu_s(pid) for pid in pids if (found := fields(pid)) and int(found[1]) == server)

    def stop(self):
        """Ends it, fast."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


CLICKHOUSE_CONFIG = """<?xml version="1.0"?>
<yandex>
    <logger><level>warning</level><log>{folder}/log</log><errorlog>{folder}/errors</errorlog><size>10M</size><count>1</count></logger>
    <http_port>{port}</http_port><tcp_port>{tcp_port}</tcp_port><listen_host>127.0.0.1</listen_host>
    <path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path><users_config>{folder}/users.xml</users_config>
    <mark_cache_size>268435456</mark_cache_size><uncompressed_cache_size>268435456</uncompressed_cache_size>
    <default_profile>default</default_profile><default_database>default</default_database><timezone>UTC</timezone>
    <keep_alive_timeout>600</keep_alive_timeout>
</yandex>
"""
CLICKHOUSE_USERS = """<?xml version="1.0"?>
<yandex>
    <profiles><default><max_memory_usage>4000000000</max_memory_usage><use_uncompressed_cache>1</use_uncompressed_cache></default></profiles>
    <users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users>
    <quotas><default></default></quotas>
</yandex>
"""


class ClickHouse(Process):
    """Debian's ClickHouse 18.16, one server, on loopback."""

    def __init__(self, folder):
        installed("clickhouse-server", shutil.which(CLICKHOUSE))
        self.folder, port = folder / "clickhouse", free_port()
        for name in ("data", "tmp"):
            (self.folder / name).mkdir(parents=True)
        config = CLICKHOUSE_CONFIG.format(folder=self.folder, port=port, tcp_port=free_port())
        (self.folder / "config.xml").write_text(config)
        (self.folder / "users.xml").write_text(CLICKHOUSE_USERS)
        super().__init__("clickhouse", [CLICKHOUSE, f"--config-file={self.folder}/config.xml"], port, folder / "clickhouse.log")
        self.place = self.address

    def ask(self, statement):
        """What a statement gives, as text."""
        with urllib.request.urlopen(f"http://{self.place}/", statement.encode(), timeout=600) as reply:
            return reply.read().decode()

    def table_bytes(self, database):
        """Bytes on disk of each table, once everything in it is merged."""
        names = self.ask(f"SELECT name FROM system.tables WHERE database = '{database}' AND engine LIKE '%MergeTree'").split()
        for name in names:
            self.ask(f"OPTIMIZE TABLE {database}.{name} FINAL")
        rows = self.ask(f"SELECT table, sum(bytes_on_disk) FROM system.parts WHERE active AND database = '{database}' GROUP BY table").splitlines()
        return {name: int(size) for name, size in (row.split("\t") for row in rows)}

    def stop(self, how=signal.SIGTERM):
        """Ends it, and removes what it kept."""
        super().stop(how)
        shutil.rmtree(self.folder, ignore_errors=True)
