#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What memtop writes: the folded format, hostile names, atomic files, full disks, reports."""

import os
import re
import shutil
import time

import harness as h
from harness import IS_ROOT, MEMTOP, Proc, Skip, memtop, memtop_start, path, run, target, target_path

UGLY = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # control characters but for tab and newline


def t_format(tap):
    t = target("cppgrow", seconds=4)
    r = memtop("-r", path("format.folded"), "-p", t.pid, timeout=30)
    with open(path("format.folded"), "rb") as f:
        raw = f.read()
    text = raw.decode("utf-8")
    tap.ok(raw.endswith(b"\n"), "the last line is whole")
    lines = text.split("\n")[:-1]
    bad = [x for x in lines if not re.fullmatch(r"[^;\n]+(;[^;\n]+)* [1-9][0-9]*", x)]
    tap.equal(bad[:3], [], "each line is command;frames BYTES")
    tap.at_least(len(lines), 5, "there are stacks")
    tap.equal(raw.split(b"\n")[:-1], sorted(raw.split(b"\n")[:-1]), "lines are sorted")
    stacks = [x.rsplit(" ", 1)[0] for x in lines]
    tap.equal(len(stacks), len(set(stacks)), "no stack stands there twice")
    tap.ok(not UGLY.search(text) and "\t" not in text, "no control characters")
    tap.equal(r.out, "", "nothing on stdout", r)


def t_flamegraph(tap):
    """The consumers' own parsers accept it, where they are installed."""
    tool = shutil.which("flamegraph.pl") or shutil.which("inferno-flamegraph")
    if not tool:
        raise Skip("no flamegraph.pl, no inferno")
    t = target("burst", seconds=3)
    memtop("-r", path("flame.folded"), "-p", t.pid, timeout=30)
    r = run([tool, path("flame.folded")])
    tap.ok(r.status == 0 and "<svg" in r.out and "burst_index" in r.out, "a flame graph comes out", r.err)


def frames_of(file):
    return {x for f, _ in h.read_folded(file) for x in f}


def t_hostile_comm(tap):
    t = target("oddname", seconds=3, delay=1)
    r = memtop("-r", path("odd.folded"), "--threads", "-p", t.pid, timeout=30)
    raw = open(path("odd.folded"), "rb").read()
    tap.ok(not UGLY.search(raw.decode("utf-8")) and b"\t" not in raw, "a hostile comm: no control characters",
           repr(raw[:500]))
    stacks = h.parse_folded(raw.decode())
    truth, _ = h.parse_truth(t.out())
    tap.at_most(h.wrong_share(h.attribute(stacks, truth), truth), 0.3, "... and no harm to the stacks", stacks)
    roots = {f[0] for f, _ in stacks}
    tap.equal(len(roots), 1, "... the command is one frame, in spite of its ';'", roots)
    tap.ok(all(x.startswith("a") and "b 7" in x for x in roots), "... whose name can be recognised", roots)
    tap.equal(h.conservation(stacks, h.parse_summary(r.err)), None, "... conservation", r)
    tap.ok(not UGLY.search(r.err), "... no control characters on stderr", repr(r.err))
    t.kill()
    t = target("oddname", seconds=3, delay=0)
    r = memtop("-b", "-c", "1", "-d", "1.5", "-p", t.pid, timeout=30)
    tap.ok(r.out and not UGLY.search(r.out), "... nor in a report", repr(r.out[:1000]))


def t_hostile_symbols(tap):
    """Function names may hold anything but NUL."""
    if not shutil.which("objcopy"):
        raise Skip("no objcopy")
    program = path("oddsymbols")
    odd = "gr;ow\n 12\x1b[2J\u202e 5"
    r = run(["objcopy", "--strip-debug", "--redefine-sym", "odd_main=" + odd, target_path("oddname"), program])
    if r.status != 0:
        raise Skip("objcopy cannot do it: " + r.err)
    t = target("oddsymbols", seconds=3, delay=1, file=program)
    r = memtop("-r", path("oddsym.folded"), "-p", t.pid, timeout=30)
    raw = open(path("oddsym.folded"), "rb").read().decode("utf-8")
    tap.ok(not UGLY.search(raw) and "\u202e" not in raw, "a hostile symbol: no control characters", repr(raw[:500]))
    stacks = h.parse_folded(raw)
    named = [f for f, _ in stacks if any(x.startswith("gr") and "ow" in x and "12" in x and "5" in x for x in f)]
    tap.ok(named, "... it is one frame, and can be recognised", raw[:1000])
    tap.equal(h.conservation(stacks, h.parse_summary(r.err)), None, "... conservation", r)
    t.kill()
    t = target("oddsymbols", seconds=3, delay=0, file=program)
    r = memtop("-b", "-c", "1", "-d", "1.5", "-p", t.pid, timeout=30)
    tap.ok(r.out and not UGLY.search(r.out) and "\u202e" not in r.out, "... nor in a report", repr(r.out[:1000]))


def t_atomic(tap):
    """At any moment the file is whole; kill -9 leaves the last version."""
    out = path("atomic.folded")
    t = target("cppgrow", seconds=14, delay=0)
    m = memtop_start("-r", out, "-p", t.pid)
    versions, bad, limit = {}, [], time.monotonic() + 11
    while time.monotonic() < limit:
        try:
            with open(out, "rb") as f:
                raw = f.read()
                inode = os.fstat(f.fileno()).st_ino
            h.parse_folded(raw.decode())
            if raw and not raw.endswith(b"\n"):
                bad.append(raw[-100:])
            versions.setdefault(raw, inode)
        except FileNotFoundError:
            pass
        except ValueError as e:
            bad.append(str(e))
        time.sleep(0.002)
    full = [v for v in versions if v]
    tap.equal(bad[:3], [], "the file could be parsed whenever it was there")
    tap.at_least(len(full), 2, "it was rewritten while memtop ran", sorted(map(len, versions)))
    tap.equal(len(set(versions[v] for v in full)), len(full), "... each time as a new file")
    m.popen.kill()
    m.popen.wait(10)
    stacks = h.read_folded(out)
    tap.ok(stacks, "kill -9: the last version is there, whole")
    left = [x for x in os.listdir(h.folder()) if x.startswith("atomic.folded") and x != "atomic.folded"]
    tap.at_most(len(left), 1, "kill -9: at most one temporary file is left", left)
    t.kill()
    # A run that ends in good order leaves none.
    tidy = path("tidy")
    os.mkdir(tidy)
    t = target("burst", seconds=2, delay=0)
    memtop("-r", os.path.join(tidy, "x.folded"), "-t", "1", "-p", t.pid)
    tap.equal(os.listdir(tidy), ["x.folded"], "no temporary file is left by a run that ends well")


def t_existing_file(tap):
    out = path("existing.folded")
    with open(out, "w") as f:
        f.write("older;stack 77\n")
    os.chmod(out, 0o640)
    t = target("burst", seconds=3, delay=0)
    memtop("-r", out, "-t", "1", "-p", t.pid)
    tap.ok("older" not in open(out).read() and h.read_folded(out), "an existing file is replaced")


# Runs in a mount namespace of its own, so that nothing is left mounted whatever happens.
FULL_DISK = """
set -e
mount -t tmpfs -o size=512k tmpfs "$1"
"$2" -r "$1/out.folded" -p "$3" &
memtop=$!
n=0
while [ ! -s "$1/out.folded" ] && [ $n -lt 150 ]; do sleep 0.1; n=$((n+1)); done
cp "$1/out.folded" "$4/before"
dd if=/dev/zero of="$1/filler" bs=4k 2>/dev/null || true
touch "$4/full"
n=0
while [ ! -e "$4/go" ] && [ $n -lt 250 ]; do sleep 0.1; n=$((n+1)); done
cp "$1/out.folded" "$4/after"
kill -0 $memtop && touch "$4/alive"
rm -f "$1/filler"
status=0
wait $memtop || status=$?
cp "$1/out.folded" "$4/final"
ls -A "$1" > "$4/listing"
exit $status
"""


def wait_for_file(name, timeout):
    limit = time.monotonic() + timeout
    while not os.path.exists(name) and time.monotonic() < limit:
        time.sleep(0.05)
    return os.path.exists(name)


def t_full_disk(tap):
    if not IS_ROOT or not shutil.which("unshare"):
        raise Skip("needs root and unshare")
    if run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status != 0:
        raise Skip("may not mount here")
    disk, notes = path("disk"), path("notes")
    os.mkdir(disk)
    os.mkdir(notes)
    t = target("cppgrow", seconds=20, delay=0.5)
    m = Proc(["unshare", "-m", "sh", "-c", FULL_DISK, "sh", disk, MEMTOP, t.pid, notes])
    tap.ok(wait_for_file(notes + "/full", 20), "a first version was written, then the disk was full", m.err())
    limit = time.monotonic() + 12
    said = r"no space left|disk (is )?full|ENOSPC"
    while not re.search(said, m.err(), re.I) and time.monotonic() < limit:
        time.sleep(0.05)
    tap.matches("(?i)" + said, m.err(), "ENOSPC is said")
    time.sleep(4)
    with open(notes + "/go", "w"):
        pass
    status = m.wait(40)
    t.kill()
    tap.ok(os.path.exists(notes + "/alive"), "memtop goes on", m.err())
    before, after = h.read_folded(notes + "/before"), h.read_folded(notes + "/after")
    tap.ok(before and h.folded_sum(after) >= h.folded_sum(before), "what was there stays", m.err())
    final = h.read_folded(notes + "/final")
    tap.equal(h.conservation(final, h.parse_summary(m.err())), None,
              "with space again, the last version is complete", m.err())
    tap.equal(status, 0, "... and memtop exits 0", m.err())
    tap.equal(open(notes + "/listing").read().split(), ["out.folded"], "... and leaves no temporary file")
    tap.at_most(len(re.findall(said, m.err(), re.I)), 4, "ENOSPC is not said without end", m.err())


def t_dev_full(tap):
    if not os.path.exists("/dev/full"):
        raise Skip("no /dev/full")
    t = target("burst", seconds=5, delay=0)
    with open("/dev/full", "wb") as full:
        m = memtop_start("-r", "-", "-t", "1.5", "-p", t.pid, stdout=full)
        status = m.wait(20)
    tap.equal(status, 1, "-r - to a full disk is a failure", m.err())
    tap.matches(r"(?i)no space left|full", m.err(), "... that is said")
    with open("/dev/full", "wb") as full:
        m = memtop_start("-b", "-c", "2", "-d", "0.5", "-p", t.pid, stdout=full)
        status = m.wait(20)
    tap.equal(status, 1, "-b to a full disk is a failure", m.err())


def t_closed_pipe(tap):
    """Nobody reads any more: memtop ends, with or without SIGPIPE."""
    t = target("burst", seconds=8, delay=0)
    read_end, write_end = os.pipe()
    m = memtop_start("-b", "-d", "0.3", "-p", t.pid, stdout=write_end)
    os.close(write_end)
    os.read(read_end, 10)
    os.close(read_end)
    status = m.wait(6)
    tap.ok(status in (0, 1, -13), "a closed pipe ends memtop in good order (status %s)" % status, m.err())


def t_vanished_folder(tap):
    place = path("vanishing")
    os.mkdir(place)
    t = target("burst", seconds=9, delay=0)
    m = memtop_start("-r", place + "/x.folded", "-t", "7", "-p", t.pid)
    time.sleep(1)
    shutil.rmtree(place)
    time.sleep(4.5)
    tap.ok(m.running(), "a folder that vanishes does not end memtop", m.err())
    status = m.wait(15)
    tap.ok(status in (0, 1), "... it ends in good order (status %s)" % status, m.err())
    tap.matches(r"(?i)^memtop: .*no such file", m.err(), "... and says what happened")
    tap.equal([k for k in h.SUMMARY_KEYS if k not in h.parse_summary(m.err())], [], "... with a summary", m.err())


NUMBER_UNIT = r"[\d.,]+ ?(?:[KMG]i?B?|B|bytes)\b"


def t_report(tap):
    t = target("burst", seconds=6, delay=0)
    r = memtop("-b", "-c", "3", "-d", "1.2", "-p", t.pid, timeout=30)
    text = r.out
    tap.matches(r"\bRSS\b", text, "a report has RSS")
    tap.matches(r"since (the )?start", text, "... its change since the start")
    tap.matches(r"since (the )?last report", text, "... and since the last report")
    tap.matches(r"\[unattributed\]", text, "... and [unattributed]")
    rows = [x for x in text.splitlines() if re.search(r"\b(burst_index|burst_cache|arena_grow)\b", x)]
    tap.ok(rows, "call sites are named", r)
    tap.ok(any(re.search(r"\d %|\d%", x) and re.search(NUMBER_UNIT, x) for x in rows),
           "... with bytes and share", rows[:10])
    places = set(re.findall(r"\b([\w.-]+\.c):(\d+)", text))
    tap.ok(places, "... with file:line", r)
    shown = []
    for name, line in places:
        source = os.path.join(h.REPO, "tests", "targets", name)
        if os.path.exists(source):
            lines = open(source).read().splitlines()
            code = lines[int(line) - 1].strip() if int(line) <= len(lines) else ""
            if len(code) > 8 and code in text:
                shown.append(code)
    tap.ok(shown, "... and the source line itself", "places %s\n%s" % (sorted(places), text[:3000]))
    tap.ok(not UGLY.search(text), "plain text")
    few = memtop("-b", "-c", "1", "-d", "1", "--top", "1", "-p", t.pid, timeout=30)
    tap.ok(0 < len(few.out.splitlines()) < len(text.splitlines()), "--top 1 is shorter", few)


def t_source_is_hostile(tap):
    """A source line is read from a file that the target names: it may hold anything."""
    gcc = shutil.which("gcc") or shutil.which("cc")
    if not gcc:
        raise Skip("no compiler")
    source = path("evil.c")
    here = os.path.join(h.HERE, "..", "targets")
    code = open(os.path.join(here, "exit_early.c")).read().replace(
        "arena_grow(&arena, pages, ns);", "arena_grow(&arena, pages, ns); /* \x1b[2J\x07\x9b31m evil */")
    with open(source, "w", encoding="latin-1") as f:
        f.write(code)
    program = path("evil")
    r = run([gcc, "-std=c11", "-O2", "-g", "-I", here, "-o", program, source, os.path.join(here, "truth.c")])
    if r.status != 0:
        raise Skip("it does not compile: " + r.err[:200])
    t = target("evil", seconds=4, delay=0, file=program)
    r = memtop("-b", "-c", "1", "-d", "1.5", "-p", t.pid, timeout=30)
    tap.ok(r.out and not UGLY.search(r.out), "escapes in a source line do not reach the terminal",
           repr(r.out[:2000]))
    os.unlink(source)
    os.mkfifo(source)
    r = memtop("-b", "-c", "1", "-d", "0.5", "-p", t.pid, timeout=8)
    tap.equal(r.status, 0, "a source file that is a FIFO does not block memtop", r)


if __name__ == "__main__":
    h.main([t_format, t_flamegraph, t_hostile_comm, t_hostile_symbols, t_atomic, t_existing_file, t_full_disk,
            t_dev_full, t_closed_pipe, t_vanished_folder, t_report, t_source_is_hostile])
