package cli

import "biomero-importer/importer/omero/omerotest/internal/argparse"

// value is an option that takes a value; flag one that takes none.
func value(dest string, names ...string) argparse.Arg {
	return argparse.Arg{Names: names, Dest: dest, Nargs: argparse.One}
}

func flag(dest string, names ...string) argparse.Arg {
	return argparse.Arg{Names: names, Dest: dest}
}

// maybe is an option that may do without its value.
func maybe(dest string, names ...string) argparse.Arg {
	return argparse.Arg{Names: names, Dest: dest, Nargs: argparse.Optional}
}

func positional(dest, nargs string) argparse.Arg { return argparse.Arg{Dest: dest, Nargs: nargs} }

func number(a argparse.Arg) argparse.Arg {
	a.Int = true
	return a
}

func oneOf(a argparse.Arg, choices ...string) argparse.Arg {
	a.Choices = choices
	return a
}

// loginArgs are accepted before the sub-command and after it.
func loginArgs() []argparse.Arg {
	return []argparse.Arg{
		flag("create", "-C", "--create"),
		value("server", "-s", "--server"),
		value("port", "-p", "--port"),
		value("group", "-g", "--group"),
		value("user", "-u", "--user"),
		value("password", "-w", "--password"),
		value("key", "-k", "--key"),
		value("sudo", "--sudo"),
		flag("quiet", "-q", "--quiet"),
	}
}

func newParser() *argparse.Parser {
	top := &argparse.Parser{Prog: "omero", Args: append([]argparse.Arg{
		flag("version", "-v", "--version"),
		value("omero_debug", "-d", "--debug"),
		value("plugins", "--path"),
	}, loginArgs()...)}
	login := func(prog string) *argparse.Parser {
		return &argparse.Parser{Prog: prog, Args: append(loginArgs(),
			number(value("timeout", "-t", "--timeout")),
			value("session_dir", "--session-dir"),
			positional("connection", argparse.Optional))}
	}
	dir := func(prog string) *argparse.Parser {
		return &argparse.Parser{Prog: prog, Args: []argparse.Arg{value("session_dir", "--session-dir")}}
	}
	top.Subs = map[string]*argparse.Parser{
		"login":  login("omero login"),
		"logout": dir("omero logout"),
		"sessions": {Prog: "omero sessions", Args: loginArgs(), Subs: map[string]*argparse.Parser{
			"login":  login("omero sessions login"),
			"logout": dir("omero sessions logout"),
			"key":    dir("omero sessions key"),
		}},
		"import": {Prog: "omero import", Args: append(loginArgs(), importArgs()...)},
		"hql": {Prog: "omero hql", Args: append(loginArgs(),
			positional("query", argparse.Optional),
			flag("all", "--admin"), flag("all", "--all"), flag("ids_only", "--ids-only"),
			number(value("limit", "--limit")), number(value("offset", "--offset")),
			oneOf(value("style", "--style"), "csv", "sql", "plain", "json"))},
		"obj": {Prog: "omero obj", Args: append(loginArgs(),
			value("file", "--file"),
			oneOf(positional("command", argparse.Optional), "new", "update", "null", "map-get", "map-set", "get", "list-get"),
			positional("Class", argparse.Optional),
			positional("fields", argparse.Any))},
		"delete": {Prog: "omero delete", Args: append(loginArgs(), positional("obj", argparse.Any))},
		"zarr": {
			Prog: "omero zarr", Args: append(loginArgs(), value("zarr_output", "--output"), flag("cache", "--cache_numpy")),
			Subs: map[string]*argparse.Parser{
				"import": {Prog: "omero zarr import", Args: []argparse.Arg{
					positional("uri", argparse.One),
					value("endpoint", "--endpoint"), value("name", "--name"), flag("nosignrequest", "--nosignrequest"),
					value("target", "--target"), value("target_by_name", "--target-by-name"),
				}},
			},
		},
		"version": {Prog: "omero version"},
	}
	return top
}

// importArgs are those of omero-py's plugin; most are handed on to Java.
func importArgs() []argparse.Arg {
	all := []argparse.Arg{
		flag("javahelp", "--javahelp", "--java-help"),
		maybe("bulk", "--bulk", "---bulk"), maybe("logprefix", "--logprefix", "---logprefix"),
		maybe("file", "--file", "---file"), maybe("errs", "--errs", "---errs"),
		value("clientdir", "--clientdir"), value("logback", "--logback"), value("fetch_jars", "--fetch-jars"),
		flag("report", "--report"), flag("upload", "--upload"), flag("logs", "--logs"),
		value("email", "--email"), value("qa_baseurl", "--qa-baseurl"),
		flag("f", "-f"), flag("c", "-c"),
		value("readers", "-l", "--readers"),
		oneOf(value("java_debug", "--debug"), "ALL", "DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"),
		oneOf(value("output", "--output"), "ids", "legacy", "yaml"),
		oneOf(value("encrypted", "--encrypted"), "true", "false"),
		flag("advanced_help", "--advanced-help"),
		flag("no_stats_info", "--no-stats-info"), flag("no_thumbnails", "--no-thumbnails"),
		flag("no_upgrade_check", "--no-upgrade-check"),
		value("parallel_upload", "--parallel-upload"), value("parallel_fileset", "--parallel-fileset"),
		number(value("depth", "--depth")),
		oneOf(argparse.Arg{Names: []string{"--skip"}, Dest: "skip", Nargs: argparse.One, Append: true},
			"all", "checksum", "minmax", "thumbnails", "upgrade"),
		positional("path", argparse.Any),
	}
	return append(all,
		value("annotation_ns", "--annotation-ns", "--annotation_ns"),
		value("annotation_text", "--annotation-text", "--annotation_text"),
		value("annotation_link", "--annotation-link", "--annotation_link"),
		value("name", "-n", "--name"), value("name", "--plate_name"),
		value("description", "-x", "--description"), value("description", "--plate_description"),
		value("dataset", "-d"), value("screen", "-r"), value("target", "-T", "--target"),
		maybe("transfer", "--transfer"), maybe("exclude", "--exclude"), maybe("checksum_algorithm", "--checksum-algorithm"),
	)
}
