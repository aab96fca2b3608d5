#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The command line: usage errors, defaults, several outputs, reports."""

import os
import re

import harness as h
from harness import memtop, memtop_start, path, target


def usage_error(tap, text, args, *words, **kw):
    tap.one_error_line(memtop(*args, timeout=20, **kw), 2, text, *words)


def t_help_and_version(tap):
    for flag in ("-h", "--help"):
        r = memtop(flag)
        tap.equal(r.status, 0, flag + " exits 0")
        tap.equal(r.err, "", flag + " says nothing on stderr")
        missing = [o for o in ("-p", "-n", "--record", "--batch", "--delay", "--count", "--duration",
                               "--interval", "--engine", "--overhead", "--measure", "--kind",
                               "--top", "--threads", "--unwinder", "--max-frames", "--no-inlines",
                               "--debuginfod", "--output-dir", "--kill", "-q", "-v", "-V")
                   if not re.search(r"(?<![\w-])%s\b" % o, r.out)]
        tap.equal(missing, [], flag + " names every option")
    for flag in ("-V", "--version"):
        r = memtop(flag)
        tap.equal(r.status, 0, flag + " exits 0")
        tap.matches(r"^memtop \d+\.\d+", r.out, flag + " says the version on stdout")
        tap.equal(len(r.out.splitlines()[0:1]), 1, flag + " says something")


def t_usage_errors(tap):
    me = str(os.getpid())
    usage_error(tap, "no target", [])
    usage_error(tap, "unknown short option", ["-Z", "-p", me], "Z")
    usage_error(tap, "unknown long option", ["--no-such-thing", "-p", me], "no-such-thing")
    usage_error(tap, "an option without its argument", ["-p"])
    usage_error(tap, "a stray word", ["-b", "-p", me, "stray"], "stray")
    usage_error(tap, "-- without a command", ["-b", "--"])
    usage_error(tap, "a process and a command", ["-b", "-p", me, "--", "true"])
    usage_error(tap, "a process and a name", ["-b", "-p", me, "-n", "init"])
    for pid in ("0", "-5", "abc", me + "x", "", "99999999999999999999", me + ",," + me, me + ",",
                "," + me, "0x10", " " + me, me + " "):
        usage_error(tap, "-p %r" % pid.replace(me, "PID"), ["-b", "-t", "0.2", "-p", pid])


def t_bad_numbers(tap):
    bad = {
        "-d": ("0", "-1", "x", "1s", "", "nan", "inf", "1e99"),
        "-c": ("0", "-1", "1.5", "x", "", "99999999999999999999"),
        "-t": ("0", "-1", "x", "", "nan"),
        "-i": ("0", "-1", "x", "", "nan", "inf"),
        "--overhead": ("0", "-1", "101", "x", "", "nan"),
        "--top": ("0", "-1", "x", "2.5"),
        "--max-frames": ("0", "-1", "x", "99999999999"),
    }
    for option, values in bad.items():
        for value in values:
            usage_error(tap, "%s %r" % (option, value), ["-b", option, value, "-p", str(os.getpid())],
                        re.escape(option) if option.startswith("--") else option)


def t_bad_words(tap):
    me = str(os.getpid())
    for option, value in (("-e", "magic"), ("--engine", ""), ("--measure", "leaked"),
                          ("--kind", "anon,nothing"), ("--kind", ""), ("--unwinder", "gdb")):
        usage_error(tap, "%s %r" % (option, value), ["-b", option, value, "-p", me],
                    re.escape(value) if value else ".")


def t_refused(tap):
    """What is not there yet is refused by one line, with status 1 or 2, and nothing is recorded."""
    out = path("refused.folded")
    t = target("idle", seconds=20)
    for args in (["--measure", "held"], ["--measure", "released"], ["-e", "faults"],
                 ["--engine", "faults"]):
        r = memtop("-r", out, "-t", "0.5", *args, "-p", t.pid, timeout=20)
        lines = r.err.splitlines()
        tap.ok(r.status in (1, 2) and len(lines) == 1 and lines[0].startswith("memtop: ")
               and args[1] in lines[0], "%s %s is refused in one line that names it" % tuple(args), r)
        tap.ok(not os.path.exists(out), "... and nothing is recorded")
    r = memtop("-r", out, "-t", "0.5", "--measure", "grown", "-e", "stops", "-p", t.pid)
    tap.equal(r.status, 0, "--measure grown -e stops is accepted", r)


def t_record_names(tap):
    t = target("idle", seconds=20)
    for name in ("x.nonsense", "noextension", "x.folded.bak", ".folded.gz"):
        r = memtop("-r", path(name), "-t", "0.3", "-p", t.pid, timeout=20)
        tap.one_error_line(r, 2, "-r %s is refused, naming what there is" % name, r"\.?folded")
        tap.ok(not os.path.exists(path(name)), "... and no such file is made")
    r = memtop("-r", path("no/such/folder/x.folded"), "-t", "0.3", "-p", t.pid, timeout=20)
    tap.one_error_line(r, 1, "-r into a folder that isn't there", "no such file")


def t_stdout_and_several(tap):
    t = target("burst", seconds=4)
    one, two = path("one.folded"), path("two.folded")
    r = memtop("-r", "-", "-r", one, "-r", two, "-t", "3", "-p", t.pid)
    tap.equal(r.status, 0, "three -r are accepted", r)
    stacks = h.parse_folded(r.out)
    tap.at_least(len(stacks), 3, "-r - writes folded stacks to stdout")
    tap.ok("\x1b" not in r.out, "no escapes on stdout")
    tap.equal(h.read_folded(one), stacks, "the first file holds the same stacks")
    tap.equal(h.read_folded(two), stacks, "the second file holds the same stacks")
    tap.equal(h.conservation(stacks, h.parse_summary(r.err)), None, "conservation", r)


def t_summary(tap):
    t = target("burst", seconds=4)
    r = memtop("-r", path("summary.folded"), "-t", "2", "-p", t.pid)
    s = h.parse_summary(r.err)
    tap.equal([k for k in h.SUMMARY_KEYS if k not in s], [], "the summary is complete", r)
    tap.equal(s.get("name"), "burst", "the summary names the program")
    tap.equal(s.get("pid"), t.pid, "the summary names the PID")
    tap.ok(1.8 <= s.get("seconds", 0) <= 3, "-t 2 lasts 2 s", r)
    tap.equal(s.get("engine"), "stops", "the engine is the stops engine")
    tap.at_most(r.seconds, 4, "memtop itself is done soon after")
    tap.ok(t.running(), "the target goes on")
    r = memtop("-q", "-r", path("quiet.folded"), "-t", "0.5", "-p", t.pid)
    tap.equal((r.status, r.out, r.err), (0, "", ""), "-q says nothing where nothing went wrong")


def t_environment(tap):
    t = target("idle", seconds=30)
    record = path("env.folded")
    r = memtop("-r", record, "-p", t.pid, env={"MEMTOP_OPTIONS": "-t 0.7"}, timeout=15)
    tap.equal(r.status, 0, "MEMTOP_OPTIONS gives defaults", r)
    tap.ok(0.5 <= h.parse_summary(r.err).get("seconds", 0) < 3, "... and they are used", r)
    r = memtop("-t", "0.7", "-r", record, "-p", t.pid, env={"MEMTOP_OPTIONS": "-t 20"}, timeout=15)
    tap.ok(r.status == 0 and h.parse_summary(r.err).get("seconds", 99) < 3,
           "the command line wins over MEMTOP_OPTIONS", r)
    r = memtop("-t", "0.7", "-r", record, "-p", t.pid, env={"MEMTOP_OPTIONS": "--bogus"}, timeout=15)
    tap.one_error_line(r, 2, "a mistake in MEMTOP_OPTIONS is a usage error that names it",
                       "MEMTOP_OPTIONS|bogus")
    r = memtop("-t", "0.7", "-r", record, "-p", t.pid, env={"MEMTOP_OPTIONS": ""}, timeout=15)
    tap.equal(r.status, 0, "an empty MEMTOP_OPTIONS is none", r)


def t_batch(tap):
    t = target("burst", seconds=6)
    r = memtop("-b", "-c", "2", "-d", "0.8", "-p", t.pid, timeout=20)
    tap.equal(r.status, 0, "-b -c 2 ends by itself", r)
    tap.ok(1.2 <= r.seconds <= 4, "... after two delays (%.1f s)" % r.seconds, r)
    tap.equal(len(re.findall(r"^memtop: report \d+ of burst\b", r.out, re.M)), 2, "there are two reports", r)
    tap.ok("\x1b" not in r.out, "no escapes in a report")


def t_output_dir(tap):
    parent = path("parent")
    os.mkdir(parent)
    t = target("burst", seconds=6)
    r = memtop("-o", parent, "-t", "1.5", "-p", t.pid)
    tap.equal(r.status, 0, "-o DIR", r)
    folders = os.listdir(parent)
    tap.equal(len(folders), 1, "one new folder in DIR")
    tap.ok(any(re.search(r"20\d\d", f) for f in folders), "its name has the date: %s" % folders, r)
    inside = os.path.join(parent, folders[0]) if folders else parent
    files = sorted(os.listdir(inside))
    folded = [f for f in files if f.endswith(".folded")]
    logs = [f for f in files if "log" in f]
    tap.equal(len(folded), 1, "it holds the folded stacks", files)
    tap.ok(logs, "it holds a log", files)
    if folded:
        stacks = h.read_folded(os.path.join(inside, folded[0]))
        tap.equal(h.conservation(stacks, h.parse_summary(r.err)), None, "conservation", r)
    if logs:
        with open(os.path.join(inside, logs[0]), encoding="utf-8") as f:
            text = f.read()
        tap.ok(str(t.pid) in text, "the log names the PID", text)
    r = memtop("-o", parent, "-t", "0.3", "-p", t.pid)
    tap.equal(len(os.listdir(parent)), 2, "a second run makes a second folder", r)
    r = memtop("-o", path("no-such-parent/x/y"), "-t", "0.3", "-p", t.pid, timeout=20)
    tap.one_error_line(r, 1, "-o in a place that isn't there", "no such file")


def t_several_pids(tap):
    """-p A,B watches both, or says in one line that it can't."""
    a, b = target("idle", seconds=15), target("idle", seconds=15)
    r = memtop("-r", path("several.folded"), "-t", "1", "-p", "%d,%d" % (a.pid, b.pid), timeout=20)
    if r.status == 0:
        tap.ok("(pid %d)" % a.pid in r.err and "(pid %d)" % b.pid in r.err,
               "both have a summary", r)
    else:
        tap.ok(r.status in (1, 2) and len(r.err.splitlines()) == 1, "refused in one line", r)


def t_target_ends(tap):
    t = target("exit_early", "3", seconds=1, delay=1)
    m = memtop_start("-r", path("ends.folded"), "-p", t.pid)
    tap.equal(t.wait(20), 3, "the target ends with its own status")
    tap.equal(m.wait(10), 0, "the target's end is a normal end: status 0", m.err())
    tap.equal(h.conservation(h.read_folded(path("ends.folded")), h.parse_summary(m.err())), None,
              "conservation", m.err())


def t_interrupted(tap):
    for sig, name in ((2, "INT"), (15, "TERM"), (1, "HUP")):
        t = target("burst", seconds=5)
        m = memtop_start("-r", path("int%d.folded" % sig), "-p", t.pid)
        h.time.sleep(1.8)
        os.kill(m.pid, sig)
        tap.equal(m.wait(5), 0, "SIG%s ends memtop in good order" % name, m.err())
        stacks = h.read_folded(path("int%d.folded" % sig))
        tap.equal(h.conservation(stacks, h.parse_summary(m.err())), None,
                  "... with its outputs written", m.err())
        tap.ok(t.running(), "... and the target goes on")
        t.kill()


if __name__ == "__main__":
    h.main([t_help_and_version, t_usage_errors, t_bad_numbers, t_bad_words, t_refused, t_record_names,
            t_stdout_and_several, t_summary, t_environment, t_batch, t_output_dir, t_several_pids,
            t_target_ends, t_interrupted])
