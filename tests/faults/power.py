"""Makes of a data directory what a power cut would have left of it: what was written and not synced is there, is not, or is torn.

As in `src/store/embedded/power.rs`, but from what the real process asked of the C library, so that a sync that is left out,
or comes too late, is seen wherever it was left out.
"""

import os
import struct

HEADER = struct.Struct("=7q")
SECTOR_BYTES = 512


class Record:
    """One operation that `shim.c` wrote down."""

    def __init__(self, number, fields, old, new):
        kind, self.ino, self.at, self.was, self.length, _, _ = fields
        self.number, self.kind, self.old, self.new = number, chr(kind), old, new
        self.gravestone = self.was


def read(log):
    """All records; one that the end of the process has cut off was not done either."""
    records = []
    data = log.read_bytes() if log.exists() else b""
    at = 0
    while at + HEADER.size <= len(data):
        fields = HEADER.unpack_from(data, at)
        old_at, new_at = at + HEADER.size, at + HEADER.size + fields[5]
        at = new_at + fields[6]
        if at > len(data):
            break
        records.append(Record(len(records), fields, data[old_at:new_at], data[new_at:at]))
    return records


def cut(shim, random):
    """Cuts the power, the process being gone; how many writes were not synced, and how many names."""
    records = read(shim.log)
    durable, names_until, folders = {}, 0, 0
    for record in records:
        if record.kind == "S":
            durable[record.ino] = max(record.at, durable.get(record.ino, 0))
        elif record.kind == "D":
            names_until, folders = max(names_until, record.at), folders + 1
    names = [record for record in records if record.kind in "NU" and record.number >= names_until]
    files = {}
    for record in records:
        if record.kind in "WT" and record.number >= durable.get(record.ino, 0):
            files.setdefault(record.ino, []).append(record)
    # File systems keep the order of names: from some moment on, none was kept.
    kept = random.randint(0, len(names))
    for record in reversed(names[kept:]):
        undo_name(shim, record)
    # Nothing, anything, or all but the end: disks differ.
    share = random.choice((0.0, 0.5, 0.9))
    for path in [*shim.directory.rglob("*"), *shim.grave.iterdir()]:
        unsynced = files.get(path.stat().st_ino) if path.is_file() else None
        if unsynced:
            lose(path, unsynced, share, random)
    return sum(map(len, files.values())), len(names)


def undo_name(shim, record):
    """Gives a file its former name back, and whichever it replaced."""
    was, now = (os.fsdecode(part) for part in record.new.split(b"\0"))
    stone = shim.grave / str(record.gravestone)
    if record.kind == "N":
        if not os.path.exists(now) or os.stat(now).st_ino != record.ino:
            # The process ended before it was done.
            return
        os.rename(now, was)
    if record.gravestone >= 0 and not os.path.exists(was if record.kind == "U" else now):
        os.link(stone, was if record.kind == "U" else now)


def lose(path, unsynced, share, random):
    """Undoes all that was not synced, and does a part of it again."""
    with path.open("r+b", buffering=0) as file:
        for record in reversed(unsynced):
            if record.old:
                os.pwrite(file.fileno(), record.old, record.at)
            os.truncate(file.fileno(), record.was)
        for record in unsynced:
            if record.kind == "T":
                if random.random() < share:
                    os.truncate(file.fileno(), record.length)
            elif random.random() < share:
                os.pwrite(file.fileno(), record.new, record.at)
            elif random.random() < share:
                for start in range(0, len(record.new), SECTOR_BYTES):
                    if random.random() < 0.5:
                        os.pwrite(file.fileno(), record.new[start : start + SECTOR_BYTES], record.at + start)
