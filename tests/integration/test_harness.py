#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The checks that the other tests rest on must be able to fail: each is given something wrong."""

import os
import signal
import time

import harness as h
from harness import Proc, target

SUMMARY = """memtop: summary of redis-server (pid 42), 5.02 s, engine stops
  RSS bytes      start 1000  peak 4000  end 3500  change +2500
  growth bytes   grown 2600  released 500  unattributed 400
  by kind        anon +2500 -400  file +500 -100  shmem +0 -0
  looks          500 (120 saw growth)  mean interval 10.0 ms
  stops          110  late 1  failed 0  skipped for the budget 3
  samples        108  lost 2  cut 5  finished from live memory 4
  stopped        4.40 ms  0.088 % of the time  p50 41 us  p99 92 us  max 130 us
"""
STACKS = [(["c", "main", "a"], 2000), (["c", "main", "b"], 600)]


def t_summary(tap):
    s = h.parse_summary("noise\n" + SUMMARY)
    tap.equal([k for k in h.SUMMARY_KEYS if k not in s], [], "a summary is read whole")
    tap.equal((s["name"], s["pid"], s["change"], s["unattributed"], s["anon_down"], s["skipped"], s["from_live"],
               s["p99_us"]), ("redis-server", 42, 2500, 400, -400, 3, 4, 92), "... and right")
    tap.equal(h.conservation(STACKS, s), None, "books in order are in order")


def t_conservation(tap):
    s = h.parse_summary(SUMMARY)
    wrong = [
        (STACKS + [(["c", "x"], 1)], s, "a byte too many in the stacks"),
        (STACKS[:1], s, "a stack is missing"),
        (STACKS, dict(s, released=499), "released is a byte off"),
        (STACKS, dict(s, unattributed=401), "unattributed is a byte off"),
        (STACKS, dict(s, end=3501), "the end is a byte off"),
        (STACKS, dict(s, file_up=501), "a kind is a byte off"),
        (STACKS, dict(s, peak=3499), "the peak is below the end"),
        (STACKS, {}, "there is no summary"),
        (STACKS, {k: v for k, v in s.items() if k != "lost"}, "a line is missing"),
    ]
    for stacks, summary, text in wrong:
        tap.ok(h.conservation(stacks, summary), "conservation notices: " + text)


def t_wrong_share(tap):
    truth = {"a": 600, "b": 300, "c": 180}
    tap.equal(h.wrong_share({"a": 60, "b": 30, "c": 18}, truth), 0.0, "the right shares")
    tap.equal(h.wrong_share({"other": 5}, truth), 1.0, "all on others")
    tap.equal(h.wrong_share({}, truth), 1.0, "nothing at all")
    tap.equal(round(h.wrong_share({"a": 90, "other": 10}, {"a": 1}), 6), 0.1, "a tenth on others")
    tap.equal(round(h.wrong_share({"a": 300, "b": 600, "c": 180}, truth), 4), 0.2778, "two mixed up")
    stacks = [(["c", "main", "a", "memset"], 5), (["c", "a", "b"], 7), (["c", "main", "epoll_wait"], 2)]
    tap.equal(h.attribute(stacks, truth), {"a": 5, "b": 7, "other": 2}, "the innermost one of them counts")


def t_folded(tap):
    tap.equal(h.parse_folded("c;main;f(a, b) 12\n"), [(["c", "main", "f(a, b)"], 12)], "a folded line")
    for bad in ("c;main 0", "c;main", "c;;x 4", ";x 4", "c;x; 4", "c;x -4", "c;x 4.5", "c;x 04", "", "c;x 4 "):
        try:
            h.parse_folded(bad + "\nc;x 1\n")
            tap.ok(False, "%r is no folded line" % bad)
        except ValueError:
            tap.ok(True, "%r is no folded line" % bad)


def t_names(tap):
    for frame, bare in (("main", "main"), ("a::f(int)", "a::f"), ("void a::f<int>(std::vector<int>&)", "a::f<int>"),
                        ("f.constprop.0", "f"), ("(anonymous namespace)::g(int)", "{anonymous}::g"),
                        ("x.so+0x12", "x.so+0x12"), ("f(char) [clone .cold]", "f")):
        tap.equal(h.bare_name(frame), bare, "the name in %r" % frame)
    ranges = [("g", 0x100, 0x120)]
    tap.equal([h.in_range(x, "m", ranges) for x in ("m+0x100", "m+0x11f", "m+0xff", "m+0x121", "n+0x110", "g")],
              ["g", "g", None, None, None, None], "places in a file")


def t_states(tap):
    import test_harmless
    t = target("idle", seconds=20)
    tap.equal(test_harmless.unharmed(t.pid), None, "a target at peace is unharmed")
    os.kill(t.pid, signal.SIGSTOP)
    time.sleep(0.1)
    tap.ok(test_harmless.unharmed(t.pid), "a stopped one is not")
    os.kill(t.pid, signal.SIGCONT)
    tracer = Proc([h.target_path("tracer"), t.pid, "20"])
    tracer.wait_for("^tracing")
    tap.ok(test_harmless.unharmed(t.pid), "nor is a traced one")
    tracer.kill()


def t_processes(tap):
    p = Proc(["sleep", "100"])
    began = time.monotonic()
    tap.equal(p.wait(0.3), None, "a process that takes too long")
    tap.ok(not p.running() and time.monotonic() - began < 5, "... is ended")
    p = Proc(["sh", "-c", "sleep 100 & echo $!; wait"])
    child = int(p.wait_for(r"^(\d+)$").group(1))
    p.kill()
    time.sleep(0.1)
    tap.ok(h.state_of(child) in "?Z", "... and so are its children")
    r = h.run(["sh", "-c", "kill -9 $$"])
    tap.equal(r.status, -9, "death by a signal is told")


if __name__ == "__main__":
    h.main([t_summary, t_conservation, t_wrong_share, t_folded, t_names, t_states, t_processes])
