# SPDX-License-Identifier: MIT
# Sourced by demo.sh and check.sh: installs what is missing (Debian), and builds.

BUILD_PACKAGES="gcc g++ make autoconf automake pkg-config libc6-dev libdw-dev libelf-dev
	libunwind-dev libiberty-dev"

say() {
	printf '%s\n' "$*" >&2
}

# need_packages NAME...: installs those that are missing, or says which they are.
need_packages() {
	local missing="" p
	for p in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] ||
			missing="$missing $p"
	done
	[ -n "$missing" ] || return 0
	local as_root=""
	if [ "$(id -u)" != 0 ]; then
		as_root="sudo"
		if ! command -v sudo >/dev/null || ! sudo -v; then
			say "memtop: these Debian packages are missing, and installing them needs root or sudo:"
			say "  apt-get install$missing"
			return 1
		fi
	fi
	say "installing:$missing"
	local log
	log=$(mktemp)
	if ! { $as_root apt-get update -q &&
		$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy \
			--no-install-recommends $missing; } >"$log" 2>&1; then
		tail -n 15 "$log" >&2
		rm -f "$log"
		say "memtop: these Debian packages are missing and could not be installed:$missing"
		return 1
	fi
	rm -f "$log"
}

# quietly COMMAND...: its output is shown only if it fails.
quietly() {
	local log
	log=$(mktemp)
	if ! "$@" >"$log" 2>&1; then
		tail -n 60 "$log" >&2
		rm -f "$log"
		return 1
	fi
	rm -f "$log"
}

# build DIR TARGET... -- CONFIGURE-ARGUMENT...: configures DIR where that was not done yet, and
# makes the targets.
build() {
	local dir="$1" targets=""
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		targets="$targets $1"
		shift
	done
	[ $# -eq 0 ] || shift
	if [ ! -e configure ] || [ configure.ac -nt configure ] || [ Makefile.am -nt Makefile.in ]; then
		quietly autoreconf -fi || return 1
	fi
	mkdir -p "$dir"
	if [ ! -e "$dir/Makefile" ] || [ configure -nt "$dir/config.status" ]; then
		(cd "$dir" && quietly ../configure "$@") || return 1
	fi
	quietly make -C "$dir" -j"$(nproc)" $targets
}
