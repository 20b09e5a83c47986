"""The files of deploy/, each read by the program that it is for or by a linter of its kind, and the dashboard of the servers
evaluated by a real Prometheus that watches the real binary.

    .test/py-deploy/bin/python tests/deploy/run.py target/debug/rollbook

Nothing here starts a container, Grafana, or systemd itself. `install` in this folder brings what it needs. The
last line is `N passed, N failed`.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse
import urllib.request
import xml.etree.ElementTree

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DEPLOY, TEST = ROOT / "deploy", ROOT / ".test"
sys.path[:0] = [str(HERE.parent / "clients"), str(HERE.parent / "clickhouse")]

# pylint: disable=wrong-import-position
from cluster import Process, free_ports, until
from run import APP, INGEST_TOKEN, MAIN, Server, account, post_lines  # those of the client tests

BIN = TEST / "py-deploy" / "bin"
PASSWORDS = {f"ROLLBOOK_{name}": "x" for name in ("CLICKHOUSE_PASSWORD", "GRAFANA_PASSWORD", "CLUSTER_SECRET")}
# What `systemd-analyze security` may find, in tenths; the network is needed, which alone is 5 to 8.
EXPOSURE_MAX = 15


def command(*arguments, **environment):
    """Runs a command that must succeed; what it printed."""
    arguments = [str(argument) for argument in arguments]
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    done = subprocess.run(arguments, env=os.environ | {"PATH": path} | environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.returncode}\n{done.stdout}"
    return done.stdout


def the_dockerfile_is_clean(_binary, _folder):
    """And builds with the toolchain that the repository pins."""
    command(BIN / "hadolint", DEPLOY / "Dockerfile")
    text = (DEPLOY / "Dockerfile").read_text()
    pinned = re.search(r'channel = "(.+)"', (ROOT / "rust-toolchain.toml").read_text())[1]
    assert f"FROM rust:{pinned}-" in text, f"the toolchain is {pinned}"
    # What the build reads is not left out of what it is sent.
    sent = [line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")]
    paths = re.findall(r'^path = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.M)
    missing = [path for path in [*paths, "Cargo.lock", "rust-toolchain.toml"] if not any(path == one or path.startswith(f"{one}/") for one in sent)]
    assert not missing, missing


def the_compose_file_is_read_by_docker(_binary, _folder):
    """And what it mounts is there."""
    printed = command(BIN / "docker-compose", "-f", DEPLOY / "compose.yaml", "--profile", "watch", "config", "--format", "json", **PASSWORDS)
    told = json.loads(printed)
    command(BIN / "compose-lint", DEPLOY / "compose.yaml")
    services = told["services"]
    assert {"balancer", "rollbook-1", "rollbook-2", "rollbook-3", "clickhouse-a", "clickhouse-b", "keeper"} <= set(services)
    for name, service in services.items():
        for volume in service.get("volumes", []):
            assert volume["type"] != "bind" or pathlib.Path(volume["source"]).exists(), f"{name}: {volume}"
    for name in ("rollbook-1", "rollbook-2", "rollbook-3"):
        assert services[name]["read_only"] and services[name]["user"] == "65532:65532" and services[name]["cap_drop"] == ["ALL"]
    targets = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"][0]["static_configs"][0]["targets"]
    assert [target.split(":")[0] for target in targets] == [name for name in services if name.startswith("rollbook-")]


def without_passwords_compose_says_which(_binary, _folder):
    """Nothing starts with an empty one."""
    # Its exit code is 0 either way. Without the passwords it ends before it looks for a Docker.
    said = command(BIN / "docker-compose", "-f", DEPLOY / "compose.yaml", "up", "--dry-run", **{name: "" for name in PASSWORDS})
    assert "set a password in deploy/.env" in said or "set a secret in deploy/.env" in said, said


def haproxy_takes_its_settings(_binary, _folder):
    """With the addresses that compose gives it."""
    balancer = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["balancer"]
    places = {name: value if name == "LISTEN" else "127.0.0.1:9180" for name, value in balancer["environment"].items()}
    command("haproxy", "-c", "-f", DEPLOY / "haproxy.cfg", **places)


def the_unit_is_right_and_hardened(binary, folder):
    """By systemd's own judgement, with the real binary in its place."""
    unit = folder / "rollbook.service"
    text = (DEPLOY / "rollbook.service").read_text()
    assert "ExecStart=/usr/local/bin/rollbook " in text
    unit.write_text(text.replace("/usr/local/bin/rollbook", binary))
    said = command("systemd-analyze", "verify", "--man=no", unit)
    assert not said.strip(), said
    judged = command("systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", "--no-pager", unit)
    return re.search(r"Overall exposure level.*?(\d+\.\d)", judged)[1]


def the_settings_of_compose_are_right(binary, folder):
    """Each secret is one that compose gives to rollbook. There are no servers of those names here, and that is all it says."""
    secrets = folder / "secrets"
    secrets.mkdir()
    for name in yaml.safe_load((DEPLOY / "compose.yaml").read_text())["secrets"]:
        (secrets / name).write_text("secretOfTheDeployTests00000000001\n")
    text = (DEPLOY / "rollbook.toml").read_text().replace("/run/secrets", str(secrets))
    config = folder / "rollbook.toml"
    config.write_text(f'data_dir = "{folder}/data"\n{text}')
    done = subprocess.run([binary, "check", "--config", str(config)], capture_output=True, text=True, timeout=60, check=False)
    assert f"{config} is right" in done.stderr and "ClickHouse at clickhouse-" in done.stderr, done.stderr


def what_others_read_is_well_formed(_binary, _folder):
    """XML and YAML; Prometheus' by its own tool."""
    for path in sorted(DEPLOY.rglob("*.xml")):
        assert xml.etree.ElementTree.parse(path).getroot().tag == "clickhouse", path
    for path in sorted(DEPLOY.rglob("*.y*ml")):
        assert yaml.safe_load(path.read_text()), path
    # The token is where compose puts it.
    command("promtool", "check", "config", "--syntax-only", DEPLOY / "prometheus.yml")


def dashboards():
    """Each of the dashboards, with its file."""
    found = {path: json.loads(path.read_text()) for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))}
    assert len(found) == 2, found.keys()
    return found


def dashboards_are_whole(_binary, _folder):
    """Ids are given once, panels do not cover each other, and each asks a data source that is provisioned by the variable."""
    provisioned = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/rollbook.yaml").read_text())["datasources"]
    types = {source["type"] for source in provisioned}
    mounted = json.dumps(yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["grafana"]["volumes"])
    folder = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/rollbook.yaml").read_text())["providers"][0]["options"]["path"]
    assert f"./grafana/dashboards:{folder}:" in mounted, folder
    boards = dashboards()
    assert len({board["uid"] for board in boards.values()}) == len(boards)
    for path, board in boards.items():
        panels, taken = board["panels"], {}
        assert len({panel["id"] for panel in panels}) == len(panels), path
        names = {variable["name"] for variable in board["templating"]["list"]}
        for panel in panels:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24, (path, panel["title"])
            for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
                assert cell not in taken, (path, panel["title"], taken[cell])
                taken[cell] = panel["title"]
            if panel["type"] == "row":
                continue
            assert panel["description"] and panel["targets"], (path, panel["title"])
            for target in panel["targets"]:
                assert target["datasource"] == panel["datasource"] and panel["datasource"]["type"] in types, (path, panel["title"])
                asked = target.get("expr") or target["rawSql"]
                used = {name for name in re.findall(r"\$\{?(\w+)", asked) if not name.startswith("__")}
                assert used <= names, (path, panel["title"], used - names)


class Prometheus(Process):
    """A Prometheus that looks at a server every second."""

    def __init__(self, folder, target):
        folder.mkdir()
        (self.port,) = free_ports(1)
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [{"job_name": "rollbook", "static_configs": [{"targets": [target]}]}]}
        (folder / "prometheus.yml").write_text(json.dumps(config))
        super().__init__("Prometheus", folder, [
            shutil.which("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}"])

    def answers(self):
        try:
            return bool(self.ask("vector(1)"))
        except OSError:
            return False

    def ask(self, expression):
        """What an expression gives now."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{query}", timeout=10) as reply:
            return json.load(reply)["data"]["result"]


def families(metrics):
    """The metrics that a page names, each with what may stand for it in an expression."""
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", metrics, re.M))
    return {name: {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name} for name, kind in kinds.items()}


def every_metric_is_shown_and_every_one_shown_is_there(binary, folder):
    """A real Prometheus answers each expression of the dashboard, from what a real server tells."""
    board = next(board for path, board in dashboards().items() if path.name == "server.json")
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    named = set(re.findall(r"rollbook_\w+", " ".join(expressions)))
    settings = "\n".join(["[limits]", "requests_per_second = 0", account("main", APP, MAIN)])
    config = folder / "metrics.toml"
    config.write_text(settings)
    server = Server(folder, "metrics", binary, "serve", "--config", str(config), "--data-dir", str(folder / "metrics-data"))
    prometheus = Prometheus(folder / "prometheus", server.endpoint)
    try:
        with urllib.request.urlopen(f"http://{server.endpoint}/metrics", timeout=10) as reply:
            told = families(reply.read().decode())
        assert len(told) > 10, told
        strange = named - set().union(*told.values())
        assert not strange, f"no such metrics: {strange}"
        unseen = [name for name, parts in told.items() if not parts & named]
        assert not unseen, f"on no panel: {unseen}"
        prometheus.start()
        # It looks for the first time some seconds after it answers.
        until(lambda: prometheus.ask("up == 1"), 30, "Prometheus sees the server")
        for second in range(3):
            lines = [{"kind": kind, "room": f"r{second}", "user": "u", "at_s": int(time.time())} for kind in ("joined", "left")]
            measured = {"kind": "samples", "room": "r", "user": "u", "at_s": int(time.time()), "values": {"rtt": 40}}
            post_lines(server, [*lines, measured], INGEST_TOKEN)
            refused = urllib.request.Request(f"http://{server.endpoint}/", b"{}", {"X-TC-Action": "DescribeRoomInfo", "Content-Type": "application/json"})
            urllib.request.urlopen(refused, timeout=10).read()
            time.sleep(1.1)
        expand = {"$__rate_interval": "30s", "$instance": ".*"}
        empty = []
        for expression in expressions:
            asked = expression
            for name, value in expand.items():
                asked = asked.replace(name, value)
            try:
                until(lambda: prometheus.ask(asked), 5, expression)  # pylint: disable=cell-var-from-loop
            except AssertionError:
                empty.append(expression)
        # Nothing was refused here, which is that panel's good news.
        assert [one for one in empty if "refused" not in one] == [], empty
    finally:
        prometheus.kill()
        server.stop()
    return f"{len(expressions)} expressions over {len(told)} metrics"


TESTS = [
    the_dockerfile_is_clean, the_compose_file_is_read_by_docker, without_passwords_compose_says_which, haproxy_takes_its_settings,
    the_unit_is_right_and_hardened, the_settings_of_compose_are_right, what_others_read_is_well_formed, dashboards_are_whole,
    every_metric_is_shown_and_every_one_shown_is_there,
]


def main():
    """One test after the other."""
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    passed = failed = 0
    for test in TESTS:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="deploy-", dir=TEST))
        try:
            told = test(binary, folder)
            passed += 1
            print(f"deploy: {test.__name__.replace('_', ' ')}: ok{f'; {told}' if told else ''}", flush=True)
        except (Exception, SystemExit):  # pylint: disable=broad-except
            failed += 1
            print(f"deploy: {test.__name__.replace('_', ' ')}: FAILED\n{traceback.format_exc()}", flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
