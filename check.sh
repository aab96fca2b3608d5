#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, and runs every test. The last line counts them.
set -u
cd "$(dirname "$0")" || exit 1
. tools/setup.sh

need_packages $BUILD_PACKAGES clang clang-format libcmocka-dev python3 strace binutils tmux \
	redis-server redis-tools nginx-light nodejs elfutils procps util-linux || exit 1

COUNTS=$(mktemp)
export COUNTS
trap 'rm -f "$COUNTS"' EXIT

# step NAME COMMAND...: one test more, which passes if the command does.
step() {
	local name="$1"
	shift
	if "$@"; then
		echo "ok - $name"
		echo "1 0 0" >>"$COUNTS"
	else
		echo "not ok - $name"
		echo "0 1 0" >>"$COUNTS"
		return 1
	fi
}

# tests DIR WHICH [VARIABLE=VALUE...]: what make check adds to COUNTS; its failure counts even if no test said so.
tests() {
	local dir="$1" which="$2" before after
	shift 2
	before=$(awk '{n += $2} END {print n + 0}' "$COUNTS")
	env "$@" make -s -C "$dir" check-local "MEMTOP_TESTS=$which"
	local status=$?
	after=$(awk '{n += $2} END {print n + 0}' "$COUNTS")
	if [ $status -ne 0 ] && [ "$before" = "$after" ]; then
		step "tests in $dir" false
	fi
}

sources() {
	git ls-files -co --exclude-standard '*.c' '*.h' '*.cc' 2>/dev/null ||
		find src tests bench demo -name '*.[ch]' -o -name '*.cc'
}

clean_install() {
	local root
	root=$(mktemp -d) &&
		quietly make -C build install DESTDIR="$root" &&
		"$root/usr/local/bin/memtop" -V >/dev/null &&
		[ -s "$root/usr/local/share/man/man1/memtop.1" ] && rm -rf "$root"
}

man_page_is_clean() {
	local warnings
	warnings=$(man --warnings -E UTF-8 -l -Tutf8 -Z doc/memtop.1 2>&1 >/dev/null)
	[ -z "$warnings" ] || { printf '%s\n' "$warnings" >&2; false; }
}

step "layers look one way" quietly python3 tests/layers.py src
step "clang-format" clang-format --dry-run -Werror $(sources)
if command -v man >/dev/null; then
	step "manual page without warnings" man_page_is_clean
fi

if step "gcc, -Werror" build build all demo bench targets check-programs -- --enable-werror; then
	tests build "unit integration"
	step "install" clean_install
fi
step "clang, -Werror" build build-clang all demo bench targets check-programs -- \
	--enable-werror CC=clang CXX=clang++
if step "ASan and UBSan, -Werror" build build-asan all targets check-programs -- \
	--enable-werror --enable-sanitizers CFLAGS="-g -O1"; then
	tests build-asan unit
	tests build-asan integration MEMTOP_ONLY="test_cli.py test_command.py test_output.py"
	# some of these trace memtop, and then LeakSanitizer can't work
	tests build-asan integration MEMTOP_ONLY=test_attach.py ASAN_OPTIONS=detect_leaks=0
fi
step "make distcheck" quietly make -C build distcheck MEMTOP_TESTS=unit COUNTS=

awk '{p += $1; f += $2; s += $3} END {
	printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0}' "$COUNTS"
