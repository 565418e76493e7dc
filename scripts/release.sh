# shellcheck shell=bash
# What dump and rolling share: programs of other revisions, and a database server of their own.

# release_start makes the folder $dir and a server in it, which end with the script.
release_start() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/release-XXXXXX")
	# The server is not root's.
	as=()
	if [ "$(id -u)" = 0 ]; then
		as=(runuser -u postgres --)
		chown postgres "$dir"
	fi
	chmod 711 "$dir"
	trap release_end EXIT
	trap 'exit 1' INT TERM HUP
	bin=$(find /usr/lib/postgresql -name initdb -printf '%h\n' | sort -V | tail -n 1)
	"${as[@]}" "$bin/initdb" -D "$dir/pg" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log"
	"${as[@]}" "$bin/pg_ctl" -D "$dir/pg" -w -l "$dir/pg.log" \
		-o "-k $dir -c listen_addresses='' -c fsync=off -c timezone=UTC" start >/dev/null
	sql postgres 'CREATE DATABASE tracking'
}

release_end() {
	{
		# shellcheck disable=SC2046 # a word for each
		kill -9 $(jobs -p)
		wait
	} 2>/dev/null || true
	"${as[@]}" "$bin/pg_ctl" -D "$dir/pg" -m immediate stop >/dev/null 2>&1 || true
	rm -rf "$dir"
}

# sql runs a statement in a database.
sql() { psql -h "$dir" -U postgres -d "$1" -v ON_ERROR_STOP=1 -qAtc "$2"; }

# wait_until waits until a condition holds in the database.
wait_until() {
	local tries
	for ((tries = 0; tries < 600; tries++)); do
		[ "$(sql tracking "SELECT $1")" = t ] && return
		sleep 0.1
	done
	tail -n 20 "$dir"/*.log >&2
	die "This did not come true within a minute: $1"
}

# build_revision builds the program of a revision as the second argument.
build_revision() {
	local tree
	tree=$(mktemp -d "$dir/tree-XXXXXX")
	git archive "$1" | tar -x -C "$tree"
	say "Building $(git log -1 --format='%h %s' "$1") ..."
	(cd "$tree" && CGO_ENABLED=0 go build -trimpath -o "$2" ./agent)
	rm -rf "$tree"
}

# settings_of writes an agent's settings: a name, the share, and more lines.
settings_of() {
	cat >"$dir/$1.yml" <<-EOT
		ingest_tracking_db: "postgres:///tracking?host=$dir&user=postgres"
		base_dir: $2
		state_dir: $dir/state
		log_file_path: $dir/$1.log
		web: {listen: ""}
		$3
	EOT
}

# order inserts a pending row as any client does: its uuid, its user, Dataset or Screen, and its files.
order() {
	sql tracking "INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, files)
		VALUES ('Demo', '$2', '151', '$3', 'Import Pending', '$1', '$4')"
}
