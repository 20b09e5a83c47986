"""What `shim.c` is told, and how it comes between a process and the C library."""

import errno
import mmap
import os
import pathlib
import shutil
import struct
import subprocess

HERE = pathlib.Path(__file__).resolve().parent

# The words of the control file, as in `shim.c`.
CLOCK_S, KILL_IN, FAIL_IN, FAIL_ERRNO, FAIL_KINDS, IS_TORN, FREE_BYTES, SEEN, FAILED = range(9)
WRITE, LENGTH, SYNC, NAME, READ = 1, 2, 4, 8, 16
CHANGES = WRITE | LENGTH | SYNC | NAME


def build(folder):
    """Compiles the shim into a folder; Rust needs a C compiler to link, so there is one."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise SystemExit("tests/faults: `cc` is missing: install Debian's gcc and libc6-dev")
    library = folder / "shim.so"
    subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", "-o", str(library), str(HERE / "shim.c")], check=True)
    return library


class Shim:
    """The orders to one process and those after it, about one directory."""

    def __init__(self, library, folder, name, directory):
        self.shim, self.directory = library, directory
        self.path, self.log, self.grave = (folder / f"{name}.{ending}" for ending in ("control", "unsynced", "removed"))
        self.path.write_bytes(bytes(4096))
        with self.path.open("r+b") as file:
            self.words = mmap.mmap(file.fileno(), 4096)
        self.is_logging = False

    def environment(self):
        """Of a process that is to have it."""
        wanted = {"LD_PRELOAD": self.shim, "FAULTS_DIR": self.directory, "FAULTS_CONTROL": self.path}
        if self.is_logging:
            wanted |= {"FAULTS_LOG": self.log, "FAULTS_GRAVE": self.grave}
        return os.environ | {name: str(value) for name, value in wanted.items()}

    def get(self, word):
        """What a word is."""
        return struct.unpack_from("=q", self.words, word * 8)[0]

    def set(self, word, value):
        """Orders something."""
        struct.pack_into("=q", self.words, word * 8, value)

    def fail(self, kinds, code=errno.ENOSPC, after=0, is_torn=False):
        """After so many more operations of these kinds, all of them fail; the first write of them may be done by half."""
        self.set(FAIL_ERRNO, code)
        self.set(FAIL_KINDS, kinds)
        self.set(IS_TORN, int(is_torn))
        self.set(FAIL_IN, after + 1)

    def heal(self):
        """Nothing fails any more; how much did."""
        self.set(FAIL_IN, 0)
        self.set(FREE_BYTES, 0)
        failed = self.get(FAILED)
        self.set(FAILED, 0)
        return failed

    def kill_at(self, operation):
        """The process ends when it comes to this operation, counted from 1, and does not do it."""
        self.set(KILL_IN, operation)

    def remember(self):
        """From the next start on, what is not synced is written down, as from nothing."""
        self.is_logging = True
        self.log.unlink(missing_ok=True)
        shutil.rmtree(self.grave, ignore_errors=True)
        self.grave.mkdir()
