"""The current ClickHouse engine behind as much of its HTTP interface as rollbook uses.

    .test/py-chdb/bin/python tests/clickhouse/bridge.py PORT FOLDER

Nobody packages a current server for Debian, but the engine comes as a Python module, `chdb`. Statements run one after the
other, each with the settings, the parameters and the database of its URL; data behind an INSERT is read as bytes.
"""

import gzip
import http.server
import pathlib
import re
import sys
import threading
import urllib.parse

import chdb

BODY_BYTES_MAX = 256 * 1024 * 1024
# What the URL may say that is no setting of the engine, or that says how HTTP is spoken.
PASSED_OVER = {"user", "password", "session_id", "query_id", "compress", "decompress", "enable_http_compression",
               "wait_end_of_query", "send_progress_in_http_headers", "http_headers_progress_interval_ms"}
INSERT = re.compile(rb"\s*INSERT\s+INTO\s.*?\sFORMAT\s+(\w+)(?:[ \t]*\r?\n|\s|$)", re.IGNORECASE | re.DOTALL)
VALUES = re.compile(rb"\s*INSERT\s+INTO\s[^;]*?\sVALUES\b", re.IGNORECASE | re.DOTALL)
CODE = re.compile(r"Code: (\d+)")


class Engine:
    """One connection; one statement at a time, since what a statement is given outlives it."""

    def __init__(self, folder):
        self.connection, self.lock = chdb.connect(str(folder / "data")), threading.Lock()
        self.data = folder / "data-of-an-insert"

    def plain(self, sql, style="TabSeparated"):
        """Runs text."""
        result = self.connection.query(sql, style)
        return result.bytes() if result.size() else b""

    def run(self, database, settings, style, statement):
        """What a statement gives."""
        with self.lock:
            try:
                if database:
                    self.plain(f"USE {quoted(database)}")
                for name, value in settings:
                    self.plain(f"SET {name} = {text(value)}")
                return self.given(statement, style)
            finally:
                self.plain("USE default")
                for name, _ in settings:
                    if not name.startswith("param_"):
                        self.plain(f"SET {name} = DEFAULT")
                self.data.unlink(missing_ok=True)

    def given(self, statement, style):
        """Runs it; data is handed over in a file, since text cannot hold it."""
        insert = None if VALUES.match(statement) else INSERT.match(statement)
        if insert and len(statement) > insert.end():
            self.data.write_bytes(statement[insert.end():])
            head = statement[:insert.start(1)].decode()
            head = re.sub(r"\sFORMAT\s+$", f" FROM INFILE {text(str(self.data))} ", head, flags=re.IGNORECASE)
            return self.plain(f"{head} FORMAT {insert.group(1).decode()}")
        return self.plain(statement.decode(), style)


def quoted(name):
    """A name in a statement."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def text(value):
    """A text in a statement."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Handler(http.server.BaseHTTPRequestHandler):
    """A request is a statement."""

    protocol_version = "HTTP/1.1"
    # A reply is written in two parts; with Nagle's algorithm the second would wait for the client.
    disable_nagle_algorithm = True
    wbufsize = -1
    engine = None

    def do_GET(self):
        """`/ping`, or a statement in the URL."""
        if self.path == "/ping":
            self.reply(200, b"Ok.\n")
        else:
            self.take(b"")

    def do_POST(self):
        """A statement in the URL, the body, or begun in the one and ended in the other."""
        if "Content-Length" not in self.headers:
            self.close_connection = True
            return self.reply(411, b"a length is needed\n")
        length = int(self.headers["Content-Length"])
        if length > BODY_BYTES_MAX:
            self.close_connection = True
            return self.reply(413, b"too large\n")
        body = self.rfile.read(length)
        return self.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)

    def take(self, body):
        """Runs the statement."""
        asked = urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, keep_blank_values=True)
        named = dict(asked)
        # The server puts a line break between the two, too.
        parts = [part for part in (named.get("query", "").encode(), body) if part]
        database, style = named.get("database", ""), named.get("default_format", "TabSeparated")
        settings = [(name, value) for name, value in asked if name not in PASSED_OVER | {"query", "database", "default_format"}]
        try:
            if wrong := [name for name, _ in settings if not re.fullmatch(r"\w+", name)]:
                raise ValueError(f"Code: 115. DB::Exception: Unknown setting {wrong}")
            answer = self.engine.run(database, settings, style, b"\n".join(parts))
            self.reply(200, answer, {"X-ClickHouse-Format": style})
        except Exception as error:  # pylint: disable=broad-except
            code = CODE.search(str(error))
            self.reply(500, f"{error}\n".encode(), {"X-ClickHouse-Exception-Code": code.group(1) if code else "1"})

    def reply(self, status, body, headers=()):
        """Writes a reply."""
        self.send_response(status)
        for name, value in dict(headers, **{"Content-Type": "text/plain", "Content-Length": len(body)}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing of each request."""


class Server(http.server.ThreadingHTTPServer):
    """A thread a connection."""

    request_queue_size = 128
    daemon_threads = True


def main():
    """Serves until it is killed."""
    port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
    Handler.engine = Engine(folder)
    Server(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
