# SPDX-License-Identifier: MIT
"""What the integration tests share: bounded processes, TAP, memtop's outputs, known truth.

Environment:
	MEMTOP           the program (build/memtop)
	MEMTOP_TARGETS   the folder of the targets (tests/targets beside the program)
	MEMTOP_LONG      set: the long forms, as the release asks for
	MEMTOP_LIMIT     seconds after which a test file gives up (900; 7200 where MEMTOP_LONG is set)
"""

import atexit
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
MEMTOP = os.path.abspath(os.environ.get("MEMTOP") or os.path.join(REPO, "build", "memtop"))
TARGETS = os.path.abspath(os.environ.get("MEMTOP_TARGETS")
                          or os.path.join(os.path.dirname(MEMTOP), "tests", "targets"))
LONG = bool(os.environ.get("MEMTOP_LONG"))
IS_ROOT = os.geteuid() == 0
NOBODY = 65534

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_live = []
_folder = None


# ---------------------------------------------------------------- processes


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def folder():
    """A temporary folder of this run, removed at the end."""
    global _folder
    if _folder is None:
        _folder = tempfile.mkdtemp(prefix="memtop-test-")
        os.chmod(_folder, 0o755)
    return _folder


def wait_until(condition, seconds):
    """True as soon as the condition is; False if it isn't within that time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def path(name):
    return os.path.join(folder(), name)


def clean_env(extra=None):
    env = dict(os.environ, LC_ALL="C.UTF-8", TERM="dumb")
    for name in ("MEMTOP_OPTIONS", "DEBUGINFOD_URLS", "TRUTH_ORPHAN"):
        env.pop(name, None)
    env.update(extra or {})
    return env


class Proc:
    """A process in a group of its own. It cannot outlive the test, nor `timeout` seconds of waiting.
    Its output goes to files, so that nothing ever waits for a full pipe."""

    count = 0

    def __init__(self, argv, env=None, stdout=None, cwd=None, orphan=False, stdin=None, before=None):
        Proc.count += 1
        self.argv = [str(a) for a in argv]
        self.out_path = path("out.%d" % Proc.count)
        self.err_path = path("err.%d" % Proc.count)
        if orphan:
            env = dict(env or {}, TRUTH_ORPHAN="1")

        def prepare():
            if not orphan:
                _die_with_parent()
            if before:
                before()

        with open(self.err_path, "wb") as err:
            out = stdout if stdout is not None else open(self.out_path, "wb")
            try:
                self.popen = subprocess.Popen(
                    self.argv, stdin=stdin if stdin is not None else subprocess.DEVNULL, stdout=out,
                    stderr=err, cwd=cwd or folder(), env=clean_env(env), start_new_session=True,
                    preexec_fn=prepare)
            finally:
                if stdout is None:
                    out.close()
        self.pid = self.popen.pid
        self.started = time.monotonic()
        _live.append(self)

    def out(self):
        with open(self.out_path, "rb") as f:
            return f.read().decode("utf-8", "surrogateescape")

    def err(self):
        with open(self.err_path, "rb") as f:
            return f.read().decode("utf-8", "surrogateescape")

    def running(self):
        return self.popen.poll() is None

    def wait(self, timeout=60):
        """The exit status (negative: the signal), or None after a timeout: then it was killed."""
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        return self.popen.returncode

    def wait_for(self, regex, timeout=10):
        """Waits until stdout matches."""
        limit = time.monotonic() + timeout
        while True:
            m = re.search(regex, self.out(), re.M)
            if m or time.monotonic() > limit:
                return m
            if not self.running():
                return re.search(regex, self.out(), re.M)
            time.sleep(0.005)

    def signal_group(self, sig):
        try:
            os.killpg(self.pid, sig)
        except (ProcessLookupError, PermissionError):
            pass

    def kill(self):
        """Its group, and itself if it is in none of its own."""
        self.signal_group(signal.SIGKILL)
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait(10)
        if self in _live:
            _live.remove(self)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what follows is done then, too


@atexit.register
def _clean_up():
    for p in list(_live):
        try:
            p.kill()
        except Exception:  # whatever it is, the others are killed too
            pass
    if _folder is not None:
        shutil.rmtree(_folder, ignore_errors=True)


class Result:
    def __init__(self, proc, status):
        self.status = status
        self.out = proc.out()
        self.err = proc.err()
        self.seconds = time.monotonic() - proc.started

    def __str__(self):
        return "status %s after %.1f s\nstdout: %s\nstderr: %s" % (
            self.status, self.seconds, self.out[:1500], self.err[:3000])


def run(argv, timeout=60, **kw):
    p = Proc(argv, **kw)
    r = Result(p, p.wait(timeout))
    p.kill()
    return r


def memtop(*args, timeout=60, **kw):
    return run([MEMTOP, *args], timeout, **kw)


def memtop_start(*args, **kw):
    return Proc([MEMTOP, *args], **kw)


def target_path(name):
    return os.path.join(TARGETS, name)


def target(name, *args, delay=1.0, seconds=5.0, file=None, **kw):
    """Starts a target, and waits until it is ready."""
    p = Proc([file or target_path(name), "%g" % seconds, "%g" % delay, *args], **kw)
    if not p.wait_for(r"^ready \d+\n", 20):
        raise RuntimeError("%s is not ready: %s" % (name, p.err()))
    return p


def status_of(pid):
    """Fields of /proc/PID/status; empty if it is gone."""
    try:
        with open("/proc/%d/status" % pid) as f:
            return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    except (FileNotFoundError, ProcessLookupError):
        return {}


def state_of(pid):
    return status_of(pid).get("State", "?")[:1]


def threads_state(pid):
    """The states of all threads, as a sorted text such as "RSS"."""
    states = []
    try:
        for tid in os.listdir("/proc/%d/task" % pid):
            try:
                with open("/proc/%d/task/%s/stat" % (pid, tid)) as f:
                    states.append(f.read().rsplit(")", 1)[1].split()[0])
            except (FileNotFoundError, ProcessLookupError):
                pass
    except FileNotFoundError:
        pass
    return "".join(sorted(states))


def rss_of(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return int(re.search(r"^Rss:\s+(\d+) kB", f.read(), re.M).group(1)) * 1024


# ---------------------------------------------------------------- memtop's outputs

FOLDED_LINE = re.compile(r"^([^;\n]+(?:;[^;\n]+)*) ([1-9][0-9]*)$")


def parse_folded(text):
    """[(frames outermost first, bytes)]; raises ValueError on anything else."""
    stacks = []
    for line in text.splitlines():
        m = FOLDED_LINE.match(line)
        if not m:
            raise ValueError("not a folded line: %r" % line[:200])
        stacks.append((m.group(1).split(";"), int(m.group(2))))
    return stacks


def read_folded(name):
    with open(name, encoding="utf-8", errors="surrogateescape", newline="\n") as f:
        return parse_folded(f.read())


def folded_sum(stacks):
    return sum(n for _, n in stacks)


def _numbers(pattern, text):
    m = re.search(pattern, text, re.M)
    return [float(x) if "." in x else int(x) for x in m.groups()] if m else None


_N = r"([+-]?\d+)"
_SPACE = r"\s+"


def parse_summary(text):
    """What memtop says on stderr at the end, as a dict; missing lines are missing keys."""
    s = {}

    def take(pattern, *keys):
        values = _numbers(pattern.replace("N", _N).replace(" ", _SPACE), text)
        if values:
            s.update(zip(keys, values))

    head = re.search(r"^memtop: summary of (.*) \(pid (\d+)\), ([\d.]+) s, engine (\S+)", text, re.M)
    if head:
        s.update(name=head.group(1), pid=int(head.group(2)), seconds=float(head.group(3)),
                 engine=head.group(4))
    take(r"^ RSS bytes start N peak N end N change N", "start", "peak", "end", "change")
    take(r"^ growth bytes grown N released N unattributed N", "grown", "released", "unattributed")
    for kind in ("anon", "file", "shmem"):
        take(r"^ by kind .*\b%s N N" % kind, kind + "_up", kind + "_down")
    take(r"^ looks N \(N saw", "looks", "looks_grown")
    take(r"^ looks .*mean interval ([\d.]+) ms", "interval_ms")
    take(r"^ stops N late N failed N skipped", "stops", "late", "failed")
    take(r"^ stops .*budget N", "skipped")
    take(r"^ samples N lost N cut N finished", "samples", "lost", "cut")
    take(r"^ samples .*memory N", "from_live")
    take(r"^ stopped ([\d.]+) ms ([\d.]+) %", "stopped_ms", "stopped_percent")
    take(r"^ stopped .*p50 ([\d.]+) us p99 ([\d.]+) us max ([\d.]+) us", "p50_us", "p99_us", "max_us")
    return s


SUMMARY_KEYS = ("name", "pid", "seconds", "engine", "start", "peak", "end", "change", "grown",
                "released", "unattributed", "anon_up", "anon_down", "file_up", "file_down",
                "shmem_up", "shmem_down", "looks", "looks_grown", "interval_ms", "stops", "late",
                "failed", "skipped", "samples", "lost", "cut", "from_live", "stopped_ms",
                "stopped_percent", "p50_us", "p99_us", "max_us")


def conservation(stacks, s):
    """Why the conservation law does not hold, or None."""
    missing = [k for k in SUMMARY_KEYS if k not in s]
    if missing:
        return "the summary has no " + ", ".join(missing)
    total = folded_sum(stacks)
    if total != s["grown"]:
        return "the stacks' sum is %d, the summary says grown %d" % (total, s["grown"])
    if s["end"] - s["start"] != s["change"]:
        return "end %d - start %d is not change %d" % (s["end"], s["start"], s["change"])
    left = total + s["unattributed"] - s["released"]
    if left != s["change"]:
        return "grown %d + unattributed %d - released %d = %d, but RSS changed by %d" % (
            total, s["unattributed"], s["released"], left, s["change"])
    kinds = sum(abs(s[k + "_up"]) - abs(s[k + "_down"]) for k in ("anon", "file", "shmem"))
    if kinds != s["change"]:
        return "the kinds' sum is %d, but RSS changed by %d" % (kinds, s["change"])
    if min(s["grown"], s["released"], s["unattributed"]) < 0:
        return "a negative amount: %r" % s
    if s["peak"] < max(s["start"], s["end"]):
        return "the peak %(peak)d is below start %(start)d or end %(end)d" % s
    return None


# ---------------------------------------------------------------- known truth


def parse_truth(text):
    """{function: bytes}, and whether the target's own check was good."""
    truth = {}
    for m in re.finditer(r"^truth (.+) (\d+)$", text, re.M):
        truth[m.group(1)] = truth.get(m.group(1), 0) + int(m.group(2))
    return truth, "\ncheck ok" in text and "check bad" not in text


def parse_ranges(text):
    """[(function, start, end)] in file offsets."""
    return [(m.group(1), int(m.group(2), 16), int(m.group(3), 16)) for m in
            re.finditer(r"^truthrange (\S+) 0x([0-9a-f]+) 0x([0-9a-f]+)$", text, re.M)]


def _without(text, opening, closing):
    """Text outside of the brackets."""
    depth, out = 0, []
    for c in text:
        if c == opening:
            depth += 1
        elif c == closing and depth:
            depth -= 1
        elif not depth:
            out.append(c)
    return "".join(out)


def bare_name(frame):
    """A function's name as truth lines have it: no parameters, no return type, no clone suffix.

    >>> bare_name("void a::f<int>(std::vector<int, x<int> >&, unsigned long)")
    'a::f<int>'
    """
    frame = frame.replace("(anonymous namespace)", "{anonymous}")
    frame = re.sub(r" \[clone [^]]*\]", "", frame).strip()
    frame = re.sub(r"\.(constprop|isra|part|cold|lto_priv)(\.\d+)*", "", frame)
    if "(" in _without(frame, "<", ">"):
        depth = 0
        for i, c in enumerate(frame):
            depth += (c == "<") - (c == ">")
            if c == "(" and depth == 0:
                frame = frame[:i]
                break
    depth = 0
    for i in range(len(frame) - 1, -1, -1):
        depth += (frame[i] == ">") - (frame[i] == "<")
        if frame[i] == " " and depth == 0 and not frame[:i].endswith("operator"):
            return frame[i + 1:]
    return frame


def in_range(frame, module, ranges):
    """Maps "module+0x1234" to the function whose range it is in."""
    m = re.match(r"(.*)\+0x([0-9a-f]+)$", frame)
    if not m or m.group(1) != module:
        return None
    at = int(m.group(2), 16)
    for function, start, end in ranges:
        # A call may be the last instruction: the return address is then the end.
        if start <= at <= end:
            return function
    return None


def attribute(stacks, functions, name=bare_name):
    """{function: bytes}, by the innermost frame that is one of the functions; the rest is 'other'.
    The first name of a stack is the command, not a function."""
    found = {}
    for frames, n in stacks:
        who = "other"
        for frame in reversed(frames[1:]):
            if name(frame) in functions:
                who = name(frame)
                break
        found[who] = found.get(who, 0) + n
    return found


def wrong_share(found, truth):
    """Half the sum of the absolute differences of the shares; 0 is perfect, 1 is all wrong."""
    total, true_total = sum(found.values()), sum(truth.values())
    if total == 0 or true_total == 0:
        return 1.0
    return sum(abs(found.get(k, 0) / total - truth.get(k, 0) / true_total)
               for k in set(found) | set(truth)) / 2


class Watched:
    """A target that was run to its end under memtop, with default options but for `options`."""

    def __init__(self, name, *args, seconds=6.0, delay=1.0, options=(), timeout=None, file=None,
                 cwd=None, meanwhile=None):
        Proc.count += 1
        self.name = name
        self.folded_path = path("watched.%d.folded" % Proc.count)
        t = target(name, *args, seconds=seconds, delay=delay, file=file, cwd=cwd)
        m = memtop_start("-r", self.folded_path, *options, "-p", t.pid)
        if meanwhile:
            meanwhile(t, m)
        timeout = timeout or seconds + delay + 40
        self.target_status = t.wait(timeout)
        self.status = m.wait(20)
        self.truth, self.check_ok = parse_truth(t.out())
        self.ranges = parse_ranges(t.out())
        self.target_out = t.out()
        self.out, self.err = m.out(), m.err()
        self.summary = parse_summary(self.err)
        self.stacks = read_folded(self.folded_path) if os.path.exists(self.folded_path) else []
        t.kill()
        m.kill()

    def found(self, name=bare_name):
        return attribute(self.stacks, self.truth, name)

    def wrong(self, name=bare_name):
        return wrong_share(self.found(name), self.truth)

    def about(self):
        return "%s: truth %s\nfound %s\nmemtop %s, target %s\n%s" % (
            self.name, shares(self.truth), shares(self.found()), self.status, self.target_status,
            self.err)


def shares(amounts):
    total = sum(amounts.values()) or 1
    return ", ".join("%s %.1f %%" % (k, 100 * v / total) for k, v in
                     sorted(amounts.items(), key=lambda kv: -kv[1]))


# ---------------------------------------------------------------- TAP


class Skip(Exception):
    pass


class Tap:
    def __init__(self):
        self.number = 0
        self.bad = 0

    def _line(self, text):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def ok(self, good, text, diagnostics=None):
        """One assertion. The diagnostics (text, or a callable) are shown where it fails."""
        self.number += 1
        self._line("%s %d - %s" % ("ok" if good else "not ok", self.number, _tap_text(text)))
        if not good:
            self.bad += 1
            if callable(diagnostics):
                diagnostics = diagnostics()
            self.note(diagnostics)
        return bool(good)

    def equal(self, got, wanted, text, more=None):
        return self.ok(got == wanted, text, lambda: "got:    %r\nwanted: %r\n%s" % (
            got, wanted, more if more is not None else ""))

    def at_most(self, got, limit, text, more=None):
        return self.ok(got <= limit, "%s (%.4g, at most %.4g)" % (text, got, limit), more)

    def at_least(self, got, limit, text, more=None):
        return self.ok(got >= limit, "%s (%.4g, at least %.4g)" % (text, got, limit), more)

    def matches(self, regex, text_in, text):
        return self.ok(re.search(regex, text_in, re.M), text,
                       lambda: "no match for %s in:\n%s" % (regex, text_in[:3000]))

    def skip(self, text, why):
        self.number += 1
        self._line("ok %d - %s # SKIP %s" % (self.number, _tap_text(text), _tap_text(why)))

    def note(self, text):
        for line in str(text if text is not None else "").splitlines():
            self._line("# " + _printable(line))

    def one_error_line(self, r, status, text, *words):
        """memtop failed with that status, and said why in one line of its own."""
        lines = r.err.splitlines()
        good = (r.status == status and len(lines) == 1 and lines[0].startswith("memtop: ")
                and all(re.search(w, lines[0], re.I) for w in words))
        return self.ok(good, text, lambda: "wanted status %d and one line with %s\n%s" % (
            status, words, r))


def _printable(text):
    return "".join(c if c.isprintable() else "\\x%02x" % (ord(c) & 0xff) for c in text)


def _tap_text(text):
    return _printable(text).replace("#", "\\#")


class TooLong(BaseException):
    pass


def main(tests):
    """Runs the test functions (or those named in the arguments) and says the plan."""
    if not os.access(MEMTOP, os.X_OK):
        print("Bail out! no program to test: %s" % MEMTOP)
        sys.exit(1)
    tap = Tap()
    limit = int(os.environ.get("MEMTOP_LIMIT") or (7200 if LONG else 900))
    wanted = sys.argv[1:]

    def too_long(*_):
        raise TooLong()

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(limit)
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        try:
            test(tap)
        except Skip as why:
            tap.skip(test.__name__, str(why))
        except TooLong:
            print("Bail out! not done after %d s, in %s" % (limit, test.__name__))
            sys.exit(1)
        except Exception:
            tap.ok(False, "%s raised an exception" % test.__name__, traceback.format_exc())
        for p in list(_live):
            p.kill()
    signal.alarm(0)
    print("1..%d" % tap.number)
    sys.exit(1 if tap.bad else 0)
