#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Real programs, as Debian has them: redis, python3, node, nginx. Absent ones are skipped."""

import http.client
import os
import re
import shutil
import socket
import time

import harness as h
from harness import Proc, Skip, memtop, memtop_start, path, run


def need(*programs):
    found = [shutil.which(p) or shutil.which(p, path="/usr/sbin:/sbin") for p in programs]
    missing = [p for p, f in zip(programs, found) if not f]
    if missing:
        raise Skip("not installed: " + ", ".join(missing))
    return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, timeout=10):
    limit = time.monotonic() + timeout
    while time.monotonic() < limit:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


def share(stacks, test):
    return sum(n for f, n in stacks if test(f)) / max(1, h.folded_sum(stacks))


def has(regex):
    return lambda frames: any(re.search(regex, x) for x in frames)


def top(stacks):
    return "\n".join("%d %s" % (n, ";".join(f)) for f, n in sorted(stacks, key=lambda x: -x[1])[:8])


def books(tap, name, m, stacks, least_growth):
    s = h.parse_summary(m.err())
    tap.equal(h.conservation(stacks, s), None, name + ": conservation, to the byte", m.err())
    tap.at_least(s.get("change", 0) + s.get("released", 0), least_growth, name + ": it grew", m.err())
    if least_growth:
        tap.at_most(s.get("unattributed", 1 << 60), 0.3 * (s.get("grown", 0) + s.get("unattributed", 0)),
                    name + ": most of it is attributed", m.err())
    return s


def watch(tap, name, pid, seconds, *options, meanwhile=None):
    folded = path(name + ".folded")
    m = memtop_start("-r", folded, "-t", str(seconds), *options, "-p", pid)
    if meanwhile:
        meanwhile(m)
    tap.equal(m.wait(seconds + 20), 0, name + ": memtop exits 0", m.err())
    tap.at_most(time.monotonic() - m.started, seconds + 2.5, name + ": -t is kept")
    return m, h.read_folded(folded)


def t_redis(tap):
    server, bench = need("redis-server", "redis-benchmark")
    port = free_port()
    redis = Proc([server, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                  "--dir", h.folder()])
    tap.ok(wait_for_port(port), "redis: it listens", redis.out())
    load = Proc([bench, "-p", port, "-t", "set", "-n", "3000000", "-r", "1000000", "-d", "200", "-P", "4", "-q"])
    m, stacks = watch(tap, "redis", redis.pid, 5)
    load.kill()
    books(tap, "redis", m, stacks, 20 << 20)
    tap.at_least(share(stacks, lambda f: has(r"^main$")(f[:6])), 0.9, "redis: stacks begin at main",
                 lambda: top(stacks))
    tap.at_least(share(stacks, has(r"processInputBuffer|readQueryFromClient|^call$")), 0.5,
                 "redis: through the functions in between", lambda: top(stacks))
    # Requests take a few microseconds here, less than a stop takes to come; so part of the samples
    # stand in the system call after the growth. How many is what bench/accuracy shows.
    allocating = has(r"alloc|jemalloc|createStringObject|createObject|_?sdsnewlen|dictAdd|dictExpand|sdsMakeRoom")
    tap.at_least(len([f for f, _ in stacks if has("^main$")(f) and allocating(f)]), 3,
                 "redis: stacks from main down to the allocating function", lambda: top(stacks))
    tap.note("redis: %.0f %% of the growth is on stacks with an allocating function" % (
        100 * share(stacks, allocating)))
    tap.ok(redis.running(), "redis: it goes on")
    r = run([need("redis-cli")[0], "-p", port, "ping"])
    tap.equal(r.out.strip(), "PONG", "redis: it answers")
    redis.kill()


PYTHON = """
import time, sys
keep = []
def grow_list():
    for i in range(20000):
        keep.append([i] * 8)
def grow_bytes():
    keep.append(bytearray(2 << 20))
def main():
    end = time.monotonic() + 12
    while time.monotonic() < end:
        grow_list()
        grow_bytes()
        time.sleep(0.05)
print("ready", flush=True)
main()
"""


def t_python(tap):
    script = path("grow.py")
    with open(script, "w") as f:
        f.write(PYTHON)
    python = shutil.which("python3", path="/usr/bin:/bin") or need("python3")[0]
    p = Proc([python, script])
    p.wait_for("^ready")
    m, stacks = watch(tap, "python", p.pid, 4)
    books(tap, "python", m, stacks, 20 << 20)
    tap.at_least(share(stacks, has(r"Py_BytesMain|Py_RunMain|^main$|^_start$")), 0.9, "python: stacks begin at its main",
                 lambda: top(stacks))
    tap.at_least(share(stacks, has(r"_PyEval_EvalFrameDefault|PyEval_EvalCode|PyEval_")), 0.8,
                 "python: through the interpreter", lambda: top(stacks))
    tap.ok(p.running(), "python: it goes on")


NODE = """
const keep = [];
const end = Date.now() + 15000;
console.log("ready");
setInterval(function grow() {
  for (let i = 0; i < 20000; i++) keep.push({ id: i, text: "order " + i, more: [i, i + 1] });
  keep.push(Buffer.alloc(1 << 20, 1));
  if (Date.now() > end) process.exit(0);
}, 50);
"""


def t_node(tap):
    node, = need("node")
    script = path("grow.js")
    with open(script, "w") as f:
        f.write(NODE)
    p = Proc([node, script])
    p.wait_for("^ready")
    m, stacks = watch(tap, "node", p.pid, 5)
    s = h.parse_summary(m.err())
    tap.equal(h.conservation(stacks, s), None, "node: conservation, to the byte", m.err())
    tap.at_least(s.get("grown", 0), 20 << 20, "node: it grew", m.err())
    tap.ok(any(has(r"v8::|node::|uv_|memset")(f) for f, _ in stacks), "node: functions are named", lambda: top(stacks))
    tap.at_least(share(stacks, has(r"^(main|_start|clone3?|start_thread|.*__libc_start_.*|libc\.so\.6\+.*)$")), 0.3,
                 "node: stacks that need no frames of machine code from V8 are whole", lambda: top(stacks))
    tap.ok(p.running(), "node: it goes on", p.err())


NGINX = """
daemon off; master_process off; pid %(dir)s/nginx.pid; error_log stderr warn;
events { worker_connections 64; }
http { access_log off; client_body_temp_path %(dir)s/a; proxy_temp_path %(dir)s/b; fastcgi_temp_path %(dir)s/c;
uwsgi_temp_path %(dir)s/d; scgi_temp_path %(dir)s/e;
server { listen 127.0.0.1:%(port)d; root %(dir)s; } }
"""


def t_nginx(tap):
    nginx, = need("nginx")
    port, place = free_port(), path("nginx")
    os.mkdir(place)
    with open(place + "/index.html", "w") as f:
        f.write("x" * 20000)
    with open(place + "/nginx.conf", "w") as f:
        f.write(NGINX % {"dir": place, "port": port})
    p = Proc([nginx, "-p", place, "-c", place + "/nginx.conf"])
    tap.ok(wait_for_port(port), "nginx: it listens", p.err())
    answers = []

    def load(_):
        limit = time.monotonic() + 3
        while time.monotonic() < limit:
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            for _ in range(20):
                c.request("GET", "/index.html")
                body = c.getresponse()
                answers.append(body.status == 200 and len(body.read()) == 20000)
            c.close()

    m, stacks = watch(tap, "nginx", p.pid, 4, meanwhile=load)
    s = h.parse_summary(m.err())
    tap.equal(h.conservation(stacks, s), None, "nginx: conservation where nearly nothing grows", m.err())
    tap.ok(answers and all(answers), "nginx: all of %d answers were right" % len(answers))
    tap.at_most(s.get("stops", 1 << 30), 200, "nginx: hardly stopped", m.err())
    tap.ok(p.running(), "nginx: it goes on")


def t_first_sample(tap):
    """How long until there is something to see. The bound is for a machine that does other things too."""
    node = shutil.which("node")
    if not node:
        raise Skip("not installed: node")
    p = Proc([node, "-e", NODE])
    p.wait_for("^ready")
    out = path("soon.folded")
    r = memtop("-r", out, "-t", "0.8", "-p", p.pid, timeout=15)
    tap.ok(r.status == 0 and os.path.getsize(out) > 0, "node: stacks within 0.8 s", r)
    tap.at_most(r.seconds, 2.5, "node: and memtop is done soon after", r)


if __name__ == "__main__":
    h.main([t_redis, t_python, t_node, t_nginx, t_first_sample])
