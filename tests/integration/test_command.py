#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""memtop -- COMMAND: watched from its first instruction, and otherwise left alone."""

import fcntl
import os
import re
import signal
import termios
import time

import harness as h
from harness import MEMTOP, Proc, memtop, memtop_start, path, target_path

ORPHAN = {"TRUTH_ORPHAN": "1"}


def t_exit_status(tap):
    for how, said in (("0", r"exit(ed)?\b.*\b0\b|status 0"), ("7", r"exit(ed)?\b.*\b7\b|status 7"),
                      ("sig11", r"signal 11|SIGSEGV|Segmentation"), ("sig9", r"signal 9|SIGKILL|[Kk]illed")):
        r = memtop("-r", path("exit.folded"), "--", target_path("exit_early"), "0.4", "0.1", how, timeout=20)
        tap.equal(r.status, 0, "a command that ends with %s: memtop itself exits 0" % how, r)
        tap.matches(said, r.err, "... and reports it")
        s = h.parse_summary(r.err)
        tap.equal(h.conservation(h.read_folded(path("exit.folded")), s), None, "... with its books in order", r)
        tap.equal(s.get("name"), "exit_early", "... under the command's name", r)


def t_streams(tap):
    r = memtop("-r", path("streams.folded"), "--", "sh", "-c", "printf 'a\\n\\033[1mb'; printf oops >&2; exit 3",
               timeout=20)
    tap.equal(r.out, "a\n\033[1mb", "the command's stdout is untouched", r)
    tap.ok("oops" in r.err, "its stderr is there", r)
    with open(path("stdin"), "w") as f:
        f.write("from stdin\n")
    with open(path("stdin")) as f:
        r = memtop("-r", path("streams.folded"), "--", "cat", timeout=20, stdin=f)
    tap.equal(r.out, "from stdin\n", "its stdin is the one of memtop", r)
    r = memtop("-r", path("streams.folded"), "--", "sh", "-c", 'printf "%s|" "$@"', "sh", "a b", "", "-x",
               "--kill", timeout=20)
    tap.equal(r.out, "a b||-x|--kill|", "its arguments arrive as they are", r)
    r = memtop("-r", path("streams.folded"), "--", "sh", "-c",
               'echo "$PWD|$FOO|$(ulimit -n)"; ls /proc/$$/fd | wc -l; exec cat /proc/self/status', timeout=20,
               env={"FOO": "bar"})
    plain = h.run(["sh", "-c", 'echo "$PWD|$FOO|$(ulimit -n)"; ls /proc/$$/fd | wc -l; exec cat /proc/self/status'],
                  env={"FOO": "bar"})
    tap.equal(r.out.splitlines()[:2], plain.out.splitlines()[:2],
              "folder, environment, limits and open files are what they'd be without memtop", r)

    def field(text, name):
        return re.search(r"^%s:\s*(.*)$" % name, text, re.M).group(1)

    for name in ("SigBlk", "SigIgn", "SigCgt", "NoNewPrivs"):
        tap.equal(field(r.out, name), field(plain.out, name), "... and so is " + name)


def t_not_found(tap):
    for command, word in (("/does/not/exist", "no such file"), ("does-not-exist-either", "no such file|not found"),
                          ("/etc/passwd", "permission denied"), ("/", "permission denied|directory")):
        r = memtop("-r", path("nf.folded"), "--", command, timeout=10)
        tap.one_error_line(r, 1, "%s cannot be started" % command, word, re.escape(command))
    r = memtop("-r", path("nf.folded"), "--", "true", timeout=10)
    tap.equal(r.status, 0, "a command is looked up in PATH", r)


def t_first_instruction(tap):
    r = memtop("-r", path("first.folded"), "--", target_path("exit_early"), "0.5", "0", "0", timeout=20)
    truth, _ = h.parse_truth(r.out)
    stacks = h.read_folded(path("first.folded"))
    found, s = h.attribute(stacks, truth), h.parse_summary(r.err)
    tap.at_least(found.get("grow_briefly", 0), 0.9 * truth.get("grow_briefly", 1 << 40),
                 "growth at once after the start is seen", r)
    tap.equal(h.conservation(stacks, s), None, "conservation", r)
    tap.at_most(s.get("start", 1 << 40), 4 << 20, "RSS at the start is that of a process that has done nothing",
                r)


def pid_from(m):
    found = m.wait_for(r"^ready (\d+)$", 10)
    return int(found.group(1)) if found else None


def t_duration_detaches(tap):
    m = memtop_start("-r", path("detach.folded"), "-t", "1.5", "--", target_path("burst"), "4", "0", env=ORPHAN)
    pid = pid_from(m)
    tap.ok(pid is not None, "the command has started", m.err())
    if pid is None:
        return
    tap.equal(m.wait(10), 0, "-t ends memtop", m.err())
    tap.at_most(time.monotonic() - m.started, 3, "... in time")
    time.sleep(0.1)
    status = h.status_of(pid)
    tap.ok(status.get("State", "?")[0] in "RS", "... and the command runs on", status)
    tap.equal(status.get("TracerPid"), "0", "... untraced")
    limit = time.monotonic() + 15
    while "check" not in m.out() and time.monotonic() < limit:
        time.sleep(0.05)
    tap.ok("check ok" in m.out(), "... to its own end", m.out())
    tap.equal(h.conservation(h.read_folded(path("detach.folded")), h.parse_summary(m.err())), None,
              "conservation", m.err())


def t_kill(tap):
    m = memtop_start("-r", path("kill.folded"), "-t", "1", "--kill", "--", target_path("burst"), "20", "0",
                     env=ORPHAN)
    pid = pid_from(m)
    tap.equal(m.wait(10), 0, "-t with --kill ends memtop", m.err())
    time.sleep(0.2)
    tap.ok(pid is not None and h.state_of(pid) in "?Z", "... and the command", pid and h.status_of(pid))
    tap.equal(h.conservation(h.read_folded(path("kill.folded")), h.parse_summary(m.err())), None,
              "conservation", m.err())


def t_killed_memtop(tap):
    m = memtop_start("-r", path("killed.folded"), "-i", "1", "--overhead", "50", "--", target_path("burst"), "3", "0",
                     env=ORPHAN)
    pid = pid_from(m)
    time.sleep(0.5)
    m.popen.kill()
    m.popen.wait(10)
    time.sleep(0.1)
    tap.ok(pid and h.state_of(pid) in "RS", "kill -9 of memtop: the command runs on", h.status_of(pid))
    limit = time.monotonic() + 15
    while "check" not in m.out() and time.monotonic() < limit:
        time.sleep(0.05)
    tap.ok("check ok" in m.out(), "... to its own end", m.out())


TRAP = 'trap "echo got; exit 5" INT; echo started; while :; do sleep 0.05; done'


def t_signals(tap):
    m = memtop_start("-r", path("int.folded"), "--", "sh", "-c", TRAP)
    m.wait_for("^started")
    time.sleep(0.3)
    m.signal_group(signal.SIGINT)
    tap.equal(m.wait(10), 0, "^C to the group: memtop ends with 0", m.err())
    tap.ok(m.wait_for("^got$", 1), "... and the command had its own way with it", m.out())
    tap.equal(h.conservation(h.read_folded(path("int.folded")), h.parse_summary(m.err())), None,
              "... and the books are closed", m.err())
    m = memtop_start("-r", path("int2.folded"), "--", "sh", "-c",
                     'trap "echo got" INT; echo started; n=0; while [ $n -lt 30 ]; do sleep 0.05; n=$((n+1)); done;'
                     'echo end')
    m.wait_for("^started")
    m.signal_group(signal.SIGINT)
    m.wait(10)
    limit = time.monotonic() + 5
    while "end" not in m.out() and time.monotonic() < limit:
        time.sleep(0.05)
    tap.ok(re.search("^got$", m.out(), re.M) and re.search("^end$", m.out(), re.M),
           "a command that goes on after ^C goes on", m.out())


def t_terminal(tap):
    """On a terminal, and with ^C typed."""
    master, slave = os.openpty()
    attributes = termios.tcgetattr(slave)
    m = Proc([MEMTOP, "-r", path("tty.folded"), "--", "sh", "-c",
              'test -t 0 && test -t 1 && echo on a terminal; ' + TRAP], stdin=slave, stdout=slave,
             before=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(slave)
    os.set_blocking(master, False)
    got, limit = b"", time.monotonic() + 10
    typed = False
    while time.monotonic() < limit and m.running():
        try:
            got += os.read(master, 4096)
        except (BlockingIOError, OSError):
            time.sleep(0.02)
        if b"started" in got and not typed:
            time.sleep(0.2)
            os.write(master, b"\x03")
            typed = True
    try:
        got += os.read(master, 4096)
    except OSError:
        pass
    tap.equal(m.wait(5), 0, "^C on a terminal ends memtop", m.err())
    tap.ok(b"on a terminal" in got, "the command has the terminal", got)
    tap.ok(b"got\r\n" in got, "... and its ^C", got)
    tap.ok(attributes is not None and b"\x1b" not in got, "memtop writes nothing to it", got)
    os.close(master)


def t_children_and_exec(tap):
    """A wrapper that execs is followed; what its children grow is theirs."""
    r = memtop("-r", path("exec.folded"), "--", "sh", "-c", 'exec "$0" 2 0.2', target_path("burst"), timeout=30)
    truth, _ = h.parse_truth(r.out)
    stacks = h.read_folded(path("exec.folded"))
    found = h.attribute(stacks, truth)
    tap.at_most(h.wrong_share(found, truth), 0.3, "sh -c 'exec …': the program's functions", r)
    tap.ok(found, "... there are some", stacks)


if __name__ == "__main__":
    h.main([t_exit_status, t_streams, t_not_found, t_first_instruction, t_duration_detaches, t_kill,
            t_killed_memtop, t_signals, t_terminal, t_children_and_exec])
