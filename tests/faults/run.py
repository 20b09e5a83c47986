"""Faults and overload against the real binary: what it acknowledged is there, what it answers is right, and it goes on.

    python3 tests/faults/run.py target/debug/rollbook [WORD…]

runs all, or the tests whose names have one of the words. Standard library, a C compiler, and no privilege: `shim.c` makes the disk, the
clock and the power fail. `ROUNDS=300` kills more often, `SEED=` elsewhere. The last line is `N passed, N failed`.
"""

import pathlib
import shutil
import signal
import sys
import tempfile
import time
import traceback

import disk
import files
import kills
import overload
import surroundings
import shim

TEST = pathlib.Path(__file__).resolve().parent.parent.parent / ".test"


def main():
    """One test after the other."""
    # Told to end, it still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    words = sys.argv[2:]
    tests = [test for module in (kills, disk, files, surroundings, overload) for test in module.TESTS]
    tests = [test for test in tests if not words or any(word in test.__name__ for word in words)]
    TEST.mkdir(exist_ok=True)
    passed = failed = 0
    for test in tests:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="faults-", dir=TEST))
        begun, name = time.monotonic(), test.__name__.replace("_", " ")
        try:
            told = test(binary, folder, shim.build(folder))
            passed += 1
            print(f"faults: {name}: ok, {time.monotonic() - begun:.1f} s{f'; {told}' if told else ''}", flush=True)
            shutil.rmtree(folder)
        except (Exception, SystemExit):  # pylint: disable=broad-except
            failed += 1
            print(f"faults: {name}: FAILED after {time.monotonic() - begun:.1f} s; see {folder}\n{traceback.format_exc()}", flush=True)
    print(f"\n{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
