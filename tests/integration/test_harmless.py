#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""memtop does no harm: no stop without growth, no lost signal, no target left stopped."""

import os
import random
import re
import signal
import time

import harness as h
from harness import LONG, Proc, memtop_start, memtop, path, target

SEED = int(os.environ.get("MEMTOP_SEED") or time.time_ns() % 1000000)


def tracers(pid):
    """{tid: tracer} of the threads that are traced."""
    found = {}
    for tid in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/status" % (pid, tid)) as f:
                tracer = int(re.search(r"^TracerPid:\s*(\d+)", f.read(), re.M).group(1))
        except (FileNotFoundError, ProcessLookupError):
            continue
        if tracer:
            found[tid] = tracer
    return found


def unharmed(pid):
    """Why a target that should run does not, or None."""
    states = h.threads_state(pid)
    if not states or set(states) - set("RSDI"):
        return "thread states are %r" % states
    if tracers(pid):
        return "traced: %r" % tracers(pid)
    return None


def ledger_end(t):
    """What the ledger says, after SIGTERM."""
    os.kill(t.pid, signal.SIGTERM)
    status = t.wait(30)
    m = re.search(r"^ledger received (\d+) lost (\d+) disorder (\d+) memory (\w+)$", t.out(), re.M)
    return (int(m.group(1)), int(m.group(2)), int(m.group(3)), m.group(4), status) if m else (
        0, -1, -1, "no result: %r %r" % (t.out(), t.err()), status)


def ledger_ok(tap, t, text, at_least):
    received, lost, disorder, memory, status = ledger_end(t)
    tap.at_least(received, at_least, text + ": signals arrived")
    tap.equal((lost, disorder, memory, status), (0, 0, "ok", 0),
              text + ": none lost, none out of order, memory intact, exit 0")


def t_idle(tap):
    seconds = 30 if LONG else 5
    t = target("idle", seconds=seconds + 1, delay=0.5)
    r = memtop("-r", path("idle.folded"), "-t", str(seconds), "-i", "2", "-p", t.pid, timeout=seconds + 20)
    s = h.parse_summary(r.err)
    tap.equal(r.status, 0, "idle: memtop exits 0", r)
    tap.at_least(s.get("looks", 0), seconds * 100, "idle: memtop did look", r)
    tap.equal(s.get("stops"), 0, "idle: not one stop in %d s" % seconds, r)
    tap.equal((s.get("samples"), s.get("late"), s.get("failed")), (0, 0, 0), "idle: not one sample", r)
    tap.equal(h.read_folded(path("idle.folded")), [], "idle: no stacks")
    tap.equal(h.conservation([], s), None, "idle: conservation", r)
    t.wait(20)
    tap.matches(r"^idle eintr 0$", t.out(), "idle: no system call was interrupted")


def t_sleepers(tap):
    """Threads asleep are left alone while others of the same process grow."""
    t = target("threads", "64", seconds=4)
    sleeping = [int(x) for x in os.listdir("/proc/%d/task" % t.pid)]
    m = memtop_start("-r", path("sleepers.folded"), "-i", "3", "--overhead", "20", "-p", t.pid)

    def switches(tid):
        try:
            with open("/proc/%d/task/%d/status" % (t.pid, tid)) as f:
                text = f.read()
        except FileNotFoundError:
            return None
        return sum(int(x) for x in re.findall(r"ctxt_switches:\s*(\d+)", text))

    time.sleep(1.3)
    before = {tid: switches(tid) for tid in sleeping}
    time.sleep(2.5)
    after = {tid: switches(tid) for tid in sleeping}
    # Threads in epoll_wait or on the futex are never scheduled unless somebody disturbs them.
    quiet = [tid for tid in sleeping if before[tid] is not None and before[tid] == after[tid]]
    tap.at_least(len(quiet), 38, "threads in epoll_wait and on a futex were never woken", len(sleeping))
    t.wait(20)
    m.wait(10)
    tap.at_least(h.parse_summary(m.err()).get("stops", 0), 30, "... while others were stopped", m.err())


def t_ledger(tap):
    """One long watch with many stops."""
    t = target("ledger", "3000", seconds=600, delay=0)
    r = memtop("-r", path("ledger.folded"), "-t", "30" if LONG else "4", "-i", "1", "--overhead", "50", "-p", t.pid,
               timeout=60)
    s = h.parse_summary(r.err)
    tap.at_least(s.get("stops", 0), 5000 if LONG else 500, "ledger: stops", r)
    tap.equal(unharmed(t.pid), None, "ledger: runs untraced")
    ledger_ok(tap, t, "ledger, %d stops" % s.get("stops", 0), 5000)


def t_rounds(tap):
    """memtop comes and goes."""
    rounds = 1000 if LONG else 20
    t = target("ledger", "2000", seconds=6000, delay=0)
    stops, bad = 0, []
    for i in range(rounds):
        r = memtop("-r", path("rounds.folded"), "-t", "0.15", "-i", "1", "--overhead", "50", "-p", t.pid, timeout=20)
        stops += h.parse_summary(r.err).get("stops", 0)
        if r.status != 0 or unharmed(t.pid):
            bad.append("round %d: %s\n%s" % (i, unharmed(t.pid), r))
    tap.equal(bad[:3], [], "%d rounds of memtop: each ends well, none leaves the target stopped" % rounds)
    tap.at_least(stops, rounds * 4, "they stopped it often")
    ledger_ok(tap, t, "%d rounds, %d stops" % (rounds, stops), 1000)


def t_kill_9(tap):
    rounds = 200 if LONG else 20
    rng = random.Random(SEED)
    tap.note("MEMTOP_SEED=%d" % SEED)
    t = target("ledger", "3000", seconds=6000, delay=0)
    bad = []
    for i in range(rounds):
        m = memtop_start("-r", path("kill.folded"), "-i", "0.5", "--overhead", "100", "-p", t.pid)
        time.sleep(rng.uniform(0.02, 0.5))
        early = not m.running()
        m.popen.kill()
        m.popen.wait(10)
        time.sleep(0.02)
        why = unharmed(t.pid)
        if why or early:
            bad.append("round %d: %s%s" % (i, why, ", memtop ended early: " + m.err() if early else ""))
        m.kill()
    tap.equal(bad[:3], [], "kill -9 of memtop at %d random moments leaves the target running" % rounds)
    ledger_ok(tap, t, "kill -9 at %d moments" % rounds, 1000)


def t_kill_9_many_threads(tap):
    rng = random.Random(SEED + 1)
    t = target("steady2", "threads", seconds=15, delay=0)
    bad = []
    for i in range(10):
        m = memtop_start("-r", path("kill2.folded"), "-i", "0.5", "--overhead", "100", "-p", t.pid)
        time.sleep(rng.uniform(0.1, 0.4))
        m.popen.kill()
        m.popen.wait(10)
        time.sleep(0.02)
        if unharmed(t.pid):
            bad.append("round %d: %s" % (i, unharmed(t.pid)))
    tap.equal(bad, [], "kill -9 while several threads grow")
    tap.equal(t.wait(40), 0, "... and the target ends well", t.out())
    tap.ok("check ok" in t.out(), "... with its truth", t.out())


def t_stopped_before(tap):
    """A target in state T is no reason to wait, and stays in T."""
    t = target("burst", seconds=5, delay=0)
    os.kill(t.pid, signal.SIGSTOP)
    time.sleep(0.1)
    tap.equal(h.state_of(t.pid), "T", "stopped by SIGSTOP")
    r = memtop("-r", path("T.folded"), "-t", "1.5", "-i", "1", "-p", t.pid, timeout=15)
    tap.equal(r.status, 0, "memtop on a stopped target ends by itself", r)
    tap.equal(h.parse_summary(r.err).get("stops"), 0, "... without a stop", r)
    time.sleep(0.1)
    tap.equal((h.state_of(t.pid), tracers(t.pid)), ("T", {}), "... and leaves it in T")
    os.kill(t.pid, signal.SIGCONT)
    tap.equal(t.wait(30), 0, "it goes on after SIGCONT")


def t_stopped_meanwhile(tap):
    """SIGSTOP comes while memtop samples: it takes effect, and SIGCONT ends it."""
    t = target("steady2", seconds=14, delay=0)
    m = memtop_start("-r", path("T2.folded"), "-i", "0.5", "--overhead", "100", "-p", t.pid)
    time.sleep(0.4)
    bad = []
    for i in range(30):
        os.kill(t.pid, signal.SIGSTOP)
        # a CPU may be away for a while under load; a signal that is lost stays lost
        if not h.wait_until(lambda: set(h.threads_state(t.pid)) <= set("Tt"), 2):
            bad.append("round %d: %s after SIGSTOP" % (i, h.threads_state(t.pid)))
        time.sleep(0.04)
        if h.state_of(t.pid) != "T":
            bad.append("round %d: %s a while after SIGSTOP" % (i, h.state_of(t.pid)))
        os.kill(t.pid, signal.SIGCONT)
        time.sleep(0.05)
        if set(h.threads_state(t.pid)) & set("T"):
            bad.append("round %d: %s after SIGCONT" % (i, h.threads_state(t.pid)))
    tap.equal(bad[:3], [], "30 times SIGSTOP and SIGCONT while memtop samples")
    tap.ok(m.running(), "memtop is still there", m.err())
    os.kill(t.pid, signal.SIGSTOP)
    time.sleep(0.05)
    m.popen.kill()
    m.popen.wait(10)
    time.sleep(0.05)
    tap.equal(h.state_of(t.pid), "T", "kill -9 of memtop keeps a stopped target stopped")
    os.kill(t.pid, signal.SIGCONT)
    tap.equal(t.wait(40), 0, "the target ends well", t.out())


def t_debugger_after(tap):
    """Between its stops memtop does not hold the target: another tracer can take it."""
    t = target("burst", seconds=8, delay=0)
    m = memtop_start("-r", path("both.folded"), "-p", t.pid)
    time.sleep(0.7)
    taken = False
    for _ in range(20):  # a stop may be under way
        tracer = Proc([h.target_path("tracer"), t.pid, "1"])
        taken = bool(tracer.wait_for("^tracing", 2))
        if taken:
            break
        tracer.kill()
    tap.ok(taken, "another tracer can attach while memtop watches")
    tracer.wait(10)
    tap.ok(m.running(), "memtop goes on meanwhile", m.err())
    t.wait(30)
    tap.equal(m.wait(10), 0, "... and ends well", m.err())
    tap.equal(h.conservation(h.read_folded(path("both.folded")), h.parse_summary(m.err())), None,
              "... with its books in order", m.err())


def t_budget(tap):
    """--overhead is kept."""
    for percent in (0.2, 2):
        t = target("steady2", seconds=5, delay=0.5)
        r = memtop("-r", path("budget.folded"), "-i", "0.5", "--overhead", str(percent), "-t", "5", "-p", t.pid,
                   timeout=30)
        s = h.parse_summary(r.err)
        tap.at_most(s.get("stopped_percent", 100), percent * 1.3 + 0.1, "--overhead %g is kept" % percent, r)
        tap.at_least(s.get("stops", 0), 10, "... and used", r)
        if percent < 1:  # looks every 0.5 ms want more than that
            tap.at_least(s.get("skipped", 0), 1, "... and what it forbade is counted", r)
        t.kill()


if __name__ == "__main__":
    h.main([t_idle, t_sleepers, t_ledger, t_rounds, t_kill_9, t_kill_9_many_threads, t_stopped_before,
            t_stopped_meanwhile, t_debugger_after, t_budget])
