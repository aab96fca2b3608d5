#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the unit and integration tests and adds up what they say.

Usage: tests/run.py [unit] [integration]        (both)

Environment: UNIT_TESTS (programs, parted by blanks), MEMTOP, MEMTOP_TARGETS, and COUNTS: a file
to which "passed failed skipped" is appended. Every test speaks TAP. The last line is
"N passed, N failed, N skipped".
"""
import glob
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
UNIT_LIMIT, INTEGRATION_LIMIT = 120, 900


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failing = False

    def line(self, line):
        """Counts one line of TAP; True if it should be seen: failures, and what is said of them."""
        if re.match(r"(not )?ok\b", line):
            self.failing = line.startswith("not")
        if re.match(r"not ok\b", line):
            self.failed += 1
            return True
        if re.match(r"ok\b.*# *skip", line, re.I):
            self.skipped += 1
            return True
        if re.match(r"ok\b", line):
            self.passed += 1
            return False
        return line.startswith(("Bail out", "==", "SUMMARY")) or (
            self.failing and line.startswith("# "))


def run(name, argv, limit, total):
    """Runs one test program in a process group of its own, within the limit."""
    began = time.monotonic()
    counts = Counts()
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    p = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         errors="backslashreplace", env=env, start_new_session=True)
    shown = []
    try:
        out, _ = p.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        out, _ = p.communicate()
        counts.failed += 1
        shown.append("not ok - %s did not end within %d s" % (name, limit))
    lines = out.splitlines()
    shown += [line for line in lines if counts.line(line)]
    if p.returncode != 0 and counts.failed == 0:
        counts.failed += 1
        shown += ["not ok - %s ended with status %d" % (name, p.returncode)] + lines[-40:]
    if counts.passed + counts.failed + counts.skipped == 0:
        counts.failed += 1
        shown.append("not ok - %s ran no test" % name)
    print("%-44s %4d passed %3d failed %3d skipped  %6.1f s" % (
        name, counts.passed, counts.failed, counts.skipped, time.monotonic() - began))
    for line in shown:
        print("    " + line)
    sys.stdout.flush()
    total.passed += counts.passed
    total.failed += counts.failed
    total.skipped += counts.skipped


def main():
    wanted = sys.argv[1:] or ["unit", "integration"]
    total = Counts()
    if "unit" in wanted:
        for program in os.environ.get("UNIT_TESTS", "").split():
            run(program, [os.path.abspath(program)], UNIT_LIMIT, total)
    if "integration" in wanted:
        only = os.environ.get("MEMTOP_ONLY", "").split()
        for script in sorted(glob.glob(os.path.join(HERE, "integration", "test_*.py"))):
            name = os.path.basename(script)
            if not only or name in only:
                run("integration/" + name, [sys.executable, script], INTEGRATION_LIMIT, total)
    if os.environ.get("COUNTS"):
        with open(os.environ["COUNTS"], "a") as f:
            f.write("%d %d %d\n" % (total.passed, total.failed, total.skipped))
    print("%d passed, %d failed, %d skipped" % (total.passed, total.failed, total.skipped))
    sys.exit(1 if total.failed else 0)


main()
