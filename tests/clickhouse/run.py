"""The ClickHouse store against real servers: the contract suite on each kind of server, then faults, erasing, moving, and dashboards
against the real binary.

    .test/py-mainland/bin/python tests/clickhouse/run.py target/debug/rollbook [WORD…]

runs all, or the tests whose names have one of the words. `install` in this folder brings what it needs. The last line
is `N passed, N failed`.
"""

import pathlib
import signal
import sys
import time
import traceback

import contract
import copying
import dashboards
import erasing
import faults


def main():
    """One test after the other."""
    # Told to end, it still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    words = sys.argv[2:]
    tests = [test for module in (contract, faults, erasing, copying, dashboards) for test in module.TESTS]
    tests = [test for test in tests if not words or any(word in test.__name__ for word in words)]
    passed = failed = 0
    for test in tests:
        begun, name = time.monotonic(), test.__name__.replace("_", " ")
        try:
            told = test(binary)
            passed += 1
            print(f"clickhouse: {name}: ok, {time.monotonic() - begun:.1f} s{f'; {told}' if told else ''}", flush=True)
        except (Exception, SystemExit):  # pylint: disable=broad-except
            failed += 1
            print(f"clickhouse: {name}: FAILED after {time.monotonic() - begun:.1f} s\n{traceback.format_exc()}", flush=True)
    print(f"\n{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
