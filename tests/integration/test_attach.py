#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Refusals name their cause and cure, in one line; and finding a process by name."""

import os
import shutil
import subprocess
import time

import harness as h
from harness import IS_ROOT, MEMTOP, NOBODY, Proc, Skip, memtop, path, run, target, target_path

AS_NOBODY = ("setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups")


def refused(tap, text, r, *words):
    tap.one_error_line(r, 1, text, *words)


def copy_for_all(name="memtop", source=MEMTOP):
    """A copy that any user may run (a build folder may be closed to them)."""
    copy = path(name)
    if not os.path.exists(copy):
        shutil.copy(source, copy)
        os.chmod(copy, 0o755)
    return copy


def t_no_such_process(tap):
    gone = subprocess.Popen(["true"])
    gone.wait()
    r = memtop("-b", "-p", gone.pid, timeout=10)
    refused(tap, "no such process", r, "no such process|no process", str(gone.pid))


def t_other_user(tap):
    if not IS_ROOT:
        r = memtop("-b", "-t", "0.2", "-p", "1", timeout=10)
        refused(tap, "another user's process", r, "belongs to|owner|user", "root", "sudo")
        return
    if not shutil.which("setpriv"):
        raise Skip("no setpriv")
    t = target("idle", seconds=20)
    r = run([*AS_NOBODY, copy_for_all(), "-b", "-p", t.pid], 10)
    refused(tap, "another user's process", r, "idle", str(t.pid), "root", "CAP_SYS_PTRACE", "sudo")


def t_protected(tap):
    """One's own process that the kernel protects, as it does a key agent."""
    if not IS_ROOT or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv")
    agent = ("import ctypes, time; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); "
             "print('ready', flush=True); time.sleep(20)")
    t = Proc([*AS_NOBODY, "/usr/bin/python3", "-c", agent])
    if not t.wait_for(r"^ready"):
        raise Skip("it does not start: " + t.err())
    r = run([*AS_NOBODY, copy_for_all(), "-b", "-p", t.pid], 10)
    refused(tap, "a process that is not dumpable", r, str(t.pid), "protected|dumpable", "sudo|cap_")


def t_yama(tap):
    scope_file = "/proc/sys/kernel/yama/ptrace_scope"
    try:
        with open(scope_file) as f:
            scope = int(f.read())
    except FileNotFoundError:
        raise Skip("this kernel has no Yama") from None
    if scope == 0:
        raise Skip("ptrace_scope is 0")
    command = [copy_for_all(), "-b", "-p"]
    if IS_ROOT:
        t = Proc([*AS_NOBODY, copy_for_all("idle", target_path("idle")), "20", "0"])
        command = [*AS_NOBODY, *command]
    else:
        t = target("idle", seconds=20)
    if not t.wait_for(r"^ready"):
        raise Skip("the target does not start as another user")
    r = run([*command, t.pid], 10)
    refused(tap, "Yama", r, "ptrace_scope is %d" % scope, "sudo|sysctl|boot")


def t_kernel_thread(tap):
    try:
        with open("/proc/2/stat") as f:
            flags = int(f.read().rsplit(")", 1)[1].split()[6])
    except FileNotFoundError:
        raise Skip("no PID 2 here (a container)") from None
    if not flags & 0x200000:
        raise Skip("PID 2 is no kernel thread")
    refused(tap, "a kernel thread", memtop("-b", "-p", "2", timeout=10), "kernel thread")


def t_zombie(tap):
    z = subprocess.Popen(["true"])
    for _ in range(200):
        if h.state_of(z.pid) == "Z":
            break
        time.sleep(0.01)
    try:
        r = memtop("-b", "-p", z.pid, timeout=10)
        refused(tap, "a zombie, and whose", r, "zombie", str(z.pid), str(os.getpid()))
    finally:
        z.wait()


def t_itself(tap):
    r = run(["sh", "-c", 'exec "$0" -b -p $$', MEMTOP], 10)
    refused(tap, "itself", r, "itself")


def t_own_tracer(tap):
    go, who = path("go"), path("who")
    victim = Proc(["sh", "-c", 'echo ready; while [ ! -e "$0" ]; do sleep 0.05; done;'
                   'exec "$1" -b -t 1 -p "$(cat "$2")"', go, MEMTOP, who])
    victim.wait_for("^ready")
    tracer = Proc([target_path("tracer"), victim.pid, "20"])
    if not tracer.wait_for(r"^tracing"):
        raise Skip("cannot trace here: " + tracer.err())
    with open(who, "w") as f:
        f.write(str(tracer.pid))
    with open(go, "w"):
        pass
    r = h.Result(victim, victim.wait(10))
    refused(tap, "its own tracer", r, "tracing memtop|own tracer|traces memtop", str(tracer.pid))


def t_already_traced(tap):
    t = target("idle", seconds=20)
    tracer = Proc([target_path("tracer"), t.pid, "20"])
    if not tracer.wait_for(r"^tracing"):
        raise Skip("cannot trace here: " + tracer.err())
    r = memtop("-b", "-p", t.pid, timeout=10)
    refused(tap, "already traced, by whom", r, "traced", "tracer", str(tracer.pid))
    tap.equal(h.status_of(t.pid).get("TracerPid"), str(tracer.pid), "... and the other tracer keeps it")


def t_seccomp(tap):
    t = target("idle", seconds=20)
    r = run([target_path("noptrace"), MEMTOP, "-b", "-p", t.pid], 10)
    refused(tap, "a seccomp filter", r, "seccomp", "container|filter")


def t_32_bit(tap):
    source = os.path.join(h.HERE, "..", "targets", "tiny32.c")
    tiny = path("tiny32")
    gcc = shutil.which("gcc")
    if not gcc or run([gcc, "-m32", "-O2", "-nostdlib", "-static", "-ffreestanding", "-o", tiny,
                       source], 60).status != 0:
        raise Skip("no compiler for 32-bit programs")
    try:
        t = Proc([tiny])
    except OSError as e:
        raise Skip("this kernel runs no 32-bit programs: %s" % e) from None
    if not t.wait_for("^ready"):
        raise Skip("this kernel runs no 32-bit programs")
    refused(tap, "a 32-bit process", memtop("-b", "-p", t.pid, timeout=10), "32-bit", str(t.pid))


def t_by_name(tap):
    name = "nm%d" % (os.getpid() % 100000)
    copy = path(name)
    shutil.copy(target_path("idle"), copy)
    first = target(name, seconds=20, file=copy)
    time.sleep(0.1)
    second = target(name, seconds=20, file=copy)
    r = memtop("-r", path("name.folded"), "-t", "0.5", "-n", name, timeout=10)
    tap.equal(r.status, 0, "-n NAME", r)
    tap.equal(h.parse_summary(r.err).get("pid"), second.pid, "-n takes the newest one",
              "the first was %d\n%s" % (first.pid, r))
    second.kill()
    r = memtop("-r", path("name.folded"), "-t", "0.5", "-n", name, timeout=10)
    tap.equal(h.parse_summary(r.err).get("pid"), first.pid, "-n finds the other one then", r)
    first.kill()
    r = memtop("-b", "-n", name, timeout=10)
    refused(tap, "-n with a name that nobody has", r, name, "no process|not found|no running")
    r = memtop("-b", "-n", name[:-1], timeout=10)
    refused(tap, "-n wants the whole name", r, name[:-1])


def t_thread_id(tap):
    """A thread's ID is no process: refused, or taken as its process, but never something between."""
    t = target("idle", seconds=20)
    tid = max(int(x) for x in os.listdir("/proc/%d/task" % t.pid))
    r = memtop("-r", path("tid.folded"), "-t", "0.5", "-p", tid, timeout=10)
    if r.status == 0:
        tap.equal(h.parse_summary(r.err).get("pid"), t.pid, "a thread's ID means its process", r)
    else:
        refused(tap, "a thread's ID is refused, with the way to the process", r, "thread", "pid|Tgid")


def t_vanishes(tap):
    """Ends while memtop starts: a normal end or a refusal, never a crash or a hang."""
    odd = []
    for i in range(12):
        t = target("exit_early", seconds=0.01, delay=0.002 * i)
        r = memtop("-r", path("vanish.folded"), "-t", "2", "-p", t.pid, timeout=10)
        if r.status not in (0, 1):
            odd.append(str(r))
        t.kill()
    tap.equal(odd, [], "a process that ends while memtop attaches")


if __name__ == "__main__":
    h.main([t_no_such_process, t_other_user, t_protected, t_yama, t_kernel_thread, t_zombie, t_itself,
            t_own_tracer, t_already_traced, t_seccomp, t_32_bit, t_by_name, t_thread_id, t_vanishes])
