# shellcheck shell=bash
# What the scripts share: where the project is, and how missing things are got.

unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

say() { printf '%s\n' "$*" >&2; }

die() {
	say "$*"
	exit 1
}

# need_go checks that Go is there and new enough for go.mod.
need_go() {
	local want have
	want=$(sed -n 's/^go //p' go.mod)
	command -v go >/dev/null || die "Go $want or newer is needed and not on the PATH; see https://go.dev/doc/install"
	have=$(go env GOVERSION)
	have=${have#go}
	[ "$(printf '%s\n%s\n' "$want" "${have%%[-+ ]*}" | sort -V | head -n 1)" = "$want" ] ||
		die "Go $want or newer is needed; this is Go $have."
	# Git refuses to describe a clone that somebody else owns, and Go then refuses
	# to build it; scripts/build stamps the version itself.
	GOFLAGS="$(go env GOFLAGS) -buildvcs=false"
	export GOFLAGS
}

# need_packages installs the missing ones of these Debian packages as root, and
# tells others how.
need_packages() {
	local package log missing=()
	for package in "$@"; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	command -v apt-get >/dev/null || die "These packages are missing, under Debian's names: ${missing[*]}"
	[ "$(id -u)" = 0 ] || die "Packages are missing. Install them with
  sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}"
	say "Installing ${missing[*]} ..."
	log=$(mktemp)
	# The package postgresql would make and start a cluster of the system's own.
	local keep_off=/etc/postgresql-common/createcluster.d/biomero-importer.conf
	# Until it is gone a signal waits for apt-get to end.
	# shellcheck disable=SC2064 # the names as they are now
	trap "rm -f '$keep_off' '$log'; exit 1" INT TERM HUP
	if [[ " ${missing[*]} " == *" postgresql "* ]]; then
		mkdir -p "${keep_off%/*}"
		echo "create_main_cluster = false" >"$keep_off"
		# shellcheck disable=SC2064 # the name as it is now
		trap "rm -f '$keep_off'" EXIT
	fi
	{
		apt-get update
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
	} </dev/null >"$log" 2>&1 || {
		tail -n 5 "$log" >&2
		rm -f "$keep_off" "$log"
		die "Installing failed."
	}
	rm -f "$keep_off" "$log"
	trap - INT TERM HUP
}

# tool installs a Go program at a version, outside the project, and prints its path.
tool() {
	local package=$1 version=$2 dir
	dir="${XDG_CACHE_HOME:-$HOME/.cache}/biomero-importer/$(basename "$package")-$version"
	if [ ! -x "$dir/$(basename "$package")" ]; then
		say "Building $(basename "$package") $version ..."
		GOFLAGS='' GOBIN="$dir" go install "$package@$version"
	fi
	printf '%s\n' "$dir/$(basename "$package")"
}

# promtool prints the path of Prometheus' checker. Debian has it in the package of the
# server, which is only unpacked: installed, it would be started.
promtool() {
	local dir
	type -P promtool && return
	dir="${XDG_CACHE_HOME:-$HOME/.cache}/biomero-importer/prometheus"
	if [ ! -x "$dir/usr/bin/promtool" ]; then
		command -v apt-get >/dev/null || die "promtool is missing: install Prometheus, or put promtool on the PATH."
		say "Unpacking promtool ..."
		rm -rf "$dir.new" && mkdir -p "$dir.new"
		[ "$(id -u)" != 0 ] || apt-get update >/dev/null
		(cd "$dir.new" && apt-get download prometheus >/dev/null 2>&1 && dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool) ||
			die "The package prometheus could not be had. Get promtool, and put it on the PATH."
		rm -f "$dir.new"/*.deb
		rm -rf "$dir" && mv "$dir.new" "$dir"
	fi
	printf '%s\n' "$dir/usr/bin/promtool"
}

golangci_lint() { tool github.com/golangci/golangci-lint/v2/cmd/golangci-lint v2.15.0; }

gotestsum() { tool gotest.tools/gotestsum v1.13.0; }
