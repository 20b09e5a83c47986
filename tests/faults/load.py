"""Media servers that report over many connections, and clients that ask meanwhile: what they were told is known."""

import collections
import json
import threading
import time

from server import APP, DAY_S, Directory, call_lines, call_rows, measured

# Days back from the clock's in which calls begin: those further back are dropped soon.
DAYS = 4
RETENTION_S = 4 * DAY_S


class Outbox:
    """What there is to tell, and what of it was acknowledged. Outlives every server."""

    def __init__(self, random, now_s):
        self.random, self.now_s = random, now_s
        self.lock, self.count = threading.Lock(), 0
        self.waiting, self.acknowledged, self.samples = collections.deque(), set(), set()
        self.is_over = False

    def next(self):
        """Calls to report in one batch: some again, since they were not acknowledged, most new."""
        with self.lock:
            # What retention drops need not be told any more.
            while self.waiting and not any(self.is_kept(call) for call in self.waiting[0]):
                self.waiting.popleft()
            if self.waiting and (self.is_over or self.random.random() < 0.7):
                return self.waiting.popleft()
            if self.is_over:
                return None
            return [self.call() for _ in range(self.random.choice((1, 1, 2, 3)))]

    def call(self):
        """A call of its own room; one of four begins just before midnight, so that two files are written."""
        self.count += 1
        midnight_s = self.now_s // DAY_S * DAY_S - self.random.randrange(DAYS) * DAY_S
        back_s = 30 if self.random.random() < 0.25 else self.random.randrange(200, DAY_S - 200)
        return f"r{self.count}", midnight_s - back_s

    def done(self, calls, is_acknowledged):
        """What became of a batch."""
        with self.lock:
            if is_acknowledged:
                self.acknowledged.update(calls)
                self.samples.add(calls[0])
            else:
                self.waiting.append(calls)

    def kept(self):
        """The acknowledged calls that retention keeps, with room to spare."""
        with self.lock:
            return {call for call in self.acknowledged if self.is_kept(call)}

    def is_kept(self, call):
        """Whether retention keeps a call."""
        return call[1] > self.now_s - RETENTION_S + 3600


def lines_of(calls):
    """A batch: the calls, and measurements of the first."""
    return [line for call in calls for line in call_lines(call)] + [measured(calls[0])]


class Senders:
    """So many connections over which batches are posted until they break or nothing is left."""

    def __init__(self, server, outbox, connections, is_refusal_right=False):
        self.server, self.outbox, self.is_refusal_right = server, outbox, is_refusal_right
        self.wrong, self.posted, self.refused = [], 0, 0
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.send, daemon=True) for _ in range(connections)]
        for thread in self.threads:
            thread.start()

    def send(self):
        """One batch after the other."""
        connection = self.server.connection()
        while not self.ending.is_set():
            calls = self.outbox.next()
            if calls is None:
                break
            status, text = self.server.post(lines_of(calls), connection)
            self.outbox.done(calls, status == 200)
            if status == 200:
                self.posted += 1
                if json.loads(text)["refused"]:
                    self.wrong.append(text)
            elif status == 503 and self.is_refusal_right:
                self.refused += 1
                time.sleep(0.02)
            elif status:
                self.wrong.append((status, text))
            else:
                break
        connection.close()

    def join(self):
        """Waits until all have ended; nothing was said that must not be."""
        for thread in self.threads:
            thread.join(120)
        assert not self.wrong, self.wrong[:3]

    def stop(self):
        """Ends them."""
        self.ending.set()
        self.join()


class Askers:
    """Clients that ask about calls that were acknowledged; every answer is compared."""

    def __init__(self, server, outbox, connections=2, may_fail=False):
        self.server, self.outbox, self.may_fail = server, outbox, may_fail
        self.calls = sorted(outbox.kept())
        self.ending, self.wrong, self.answered, self.failed = threading.Event(), [], 0, 0
        self.threads = [threading.Thread(target=self.ask, args=(number,), daemon=True) for number in range(connections)]
        for thread in self.threads:
            thread.start()

    def ask(self, number):
        """One question after the other."""
        connection = self.server.connection()
        while not self.ending.is_set() and self.calls:
            number = (number * 31 + 7) % len(self.calls)
            call = self.calls[number]
            rows = self.server.users(int(self.outbox.now_s), call, connection)
            if rows is None:
                break
            if rows == call_rows(call):
                self.answered += 1
            elif self.may_fail and isinstance(rows, str) and rows.startswith("InternalError"):
                self.failed += 1
            else:
                self.wrong.append((call, rows))
            number += 1
            # The senders are of the same process as these clients.
            time.sleep(0.004)
        connection.close()

    def join(self):
        """Waits until all have ended; every answer was right."""
        self.ending.set()
        for thread in self.threads:
            thread.join(120)
        assert not self.wrong, self.wrong[:3]


def look(directory, outbox):
    """Every acknowledged call and measurement is there, and the store is sound; how many calls there were."""
    directory.check()
    found = collections.defaultdict(list)
    for line in directory.export("users"):
        row = json.loads(line)
        found[row["comm_id"]].append((row["user"], row["joined_ms"] // 1000, row.get("left_ms", 0) // 1000, row["leave_source"] == "seen"))
    kept = outbox.kept()
    wrong = [call for call in kept if sorted(found[f"{APP}_{call[0]}_{call[1]}"], reverse=True) != call_rows(call)]
    assert not wrong, f"{len(wrong)} of {len(kept)} acknowledged calls are not as they were told: {sorted(wrong)[:5]}"
    measured_rooms = {json.loads(line)["room"] for line in directory.export("samples")}
    lost = [call for call in outbox.samples & kept if call[0] not in measured_rooms]
    assert not lost, f"measurements of {len(lost)} acknowledged batches are lost: {sorted(lost)[:5]}"
    return len(kept)


def adds_up(directory):
    """The records are what the events add up to: a store that is given only these events has the same."""
    fresh = Directory(directory.binary, directory.folder / "again", directory.config.read_text())
    for what in ("events", "samples"):
        lines = fresh.folder / f"{what}.ndjson"
        lines.write_text("".join(f"{line}\n" for line in directory.export(what)))
        fresh.command("import", "events", str(lines), "--app", str(APP))
    for what in ("calls", "users", "samples"):
        mine, others = directory.export(what), fresh.export(what)
        differ = [pair for pair in zip(mine, others) if pair[0] != pair[1]]
        assert mine == others, f"{what}: {len(mine)} lines, {len(others)} of the events alone; the first that differ: {differ[:1]}"
