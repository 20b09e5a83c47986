"""The ClickHouse store against real servers: the contract suite on each kind of server, then faults, erasing, moving, and dashboards
against the real binary.

    .test/py-mainland/bin/python tests/clickhouse/run.py target/debug/rollbook [WORD…]

runs all, or the tests whose names have one of the words. `install` in this folder brings what it needs. The last line
is `N passed, N failed`.
"""

import pathlib
import signal
import sys
import threading
import time
import traceback

import contract
import copying
import dashboards
import erasing
import faults


def passes(test, binary):
    """Runs one, and says what became of it."""
    begun, name = time.monotonic(), test.__name__.replace("_", " ")
    try:
        told = test(binary)
        print(f"clickhouse: {name}: ok, {time.monotonic() - begun:.1f} s{f'; {told}' if told else ''}", flush=True)
        return True
    except (Exception, SystemExit):  # pylint: disable=broad-except
        print(f"clickhouse: {name}: FAILED after {time.monotonic() - begun:.1f} s\n{traceback.format_exc()}", flush=True)
        return False


def main():
    """The suites, one of them beside the others; then one test after the other."""
    # Told to end, it still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    words = sys.argv[2:]

    def asked_for(*modules):
        tests = [test for module in modules for test in module]
        return [test for test in tests if not words or any(word in test.__name__ for word in words)]

    outcomes = []

    def run(tests):
        for test in tests:
            outcomes.append(passes(test, binary))

    beside = threading.Thread(target=run, args=[asked_for(contract.BESIDE)], daemon=True)
    beside.start()
    run(asked_for(contract.TESTS))
    beside.join()
    # These measure time, or wait for others to notice something.
    run(asked_for(faults.TESTS, erasing.TESTS, copying.TESTS, dashboards.TESTS))
    passed, failed = outcomes.count(True), outcomes.count(False)
    print(f"\n{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
