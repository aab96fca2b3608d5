#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that the layers look one way: a source file includes only from layers below its own.

Usage: tests/layers.py [SRC]        TAP on stdout
"""
import os
import re
import sys

ORDER = ["base", "proc", "target", "engine", "module", "unwind", "symbol", "profile", "output",
         "app"]
# What needs privilege must not know what parses hostile files, and the other way round but for
# the plain data between them (doc/ARCHITECTURE.md).
EXCEPTIONS = {("target", "engine/sample.h"), ("profile", "engine/sample.h")}
FORBIDDEN = {
    "module": {"engine"},
    "unwind": {"engine"},
    "symbol": {"engine", "target", "proc"},
    "profile": {"engine", "target", "proc", "module", "unwind"},
    "output": {"target", "module", "unwind", "proc"},
}
ALLOWED = {"engine/sample.h", "target/process.h", "engine/engine.h", "proc/maps.h"}


def complaint(layer, included):
    other = included.split("/")[0]
    if other not in ORDER or other == layer or (layer, included) in EXCEPTIONS:
        return None
    if ORDER.index(other) > ORDER.index(layer):
        return "looks up at %s" % included
    if other in FORBIDDEN.get(layer, ()) and included not in ALLOWED:
        return "must not know %s" % included
    return None


def main():
    src = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../src")
    number = bad = 0
    for folder, _, files in sorted(os.walk(src)):
        layer = os.path.relpath(folder, src).split(os.sep)[0]
        for name in sorted(files):
            if layer not in ORDER or not name.endswith((".c", ".h")):
                continue
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                found = re.findall(r'^#include "([^"]+)"', f.read(), re.M)
            wrong = [c for c in (complaint(layer, i) for i in found) if c]
            number += 1
            bad += bool(wrong)
            print("%s %d - %s/%s looks down only%s" % (
                "not ok" if wrong else "ok", number, layer, name,
                "".join("\n# it " + w for w in wrong)))
    print("1..%d" % number)
    sys.exit(1 if bad or number == 0 else 0)


main()
