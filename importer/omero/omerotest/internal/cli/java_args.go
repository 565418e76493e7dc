package cli

import (
	"bufio"
	"slices"
	"strconv"
	"strings"
)

// javaOptions are those of the Java importer; true take a value.
var javaOptions = map[string]bool{
	"-c": false, "-f": false, "-d": true, "-r": true, "-T": true, "-n": true, "-x": true, "-l": true,
	"-s": true, "-u": true, "-w": true, "-k": true, "-p": true,
	"--target": true, "--name": true, "--description": true,
	"--transfer": true, "--exclude": true, "--checksum-algorithm": true,
	"--output": true, "--encrypted": true, "--parallel-upload": true, "--parallel-fileset": true,
	"--no-thumbnails": false, "--no-stats-info": false, "--no-upgrade-check": false,
	"--keep-alive": true, "--readers": true, "--report": false, "--upload": false, "--logs": false,
	"--annotation-ns": true, "--annotation-text": true, "--annotation-link": true,
	"--agent": true, "--auto-close": false, "--minutes-wait": true,
}

// getopt reads what Java gets besides: paths, and options where they stand among
// what came after "--".
func (j *jvm) getopt(args []string) error {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			j.paths = append(j.paths, args[i+1:]...)
			break
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			j.paths = append(j.paths, arg)
			continue
		}
		if strings.HasPrefix(arg, "--debug") {
			continue
		}
		name, value, given := strings.Cut(arg, "=")
		if !strings.HasPrefix(arg, "--") {
			name, value, given = arg[:2], arg[2:], len(arg) > 2
		}
		takes, known := javaOptions[name]
		if !known {
			return j.usage("importer-cli: unrecognized option '%s'", arg)
		}
		if takes && !given {
			i++
			if i == len(args) {
				return j.usage("importer-cli: option '%s' requires an argument", name)
			}
			value = args[i]
		}
		if err := j.set(name, value); err != nil {
			return err
		}
	}
	if slices.Equal(j.paths, []string{"-"}) {
		return j.pathsFromStdin()
	}
	return nil
}

// pathsFromStdin reads a path a line, without what Java trims.
func (j *jvm) pathsFromStdin() error {
	j.paths = nil
	lines := bufio.NewScanner(j.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if path := strings.TrimFunc(lines.Text(), func(r rune) bool { return r <= ' ' }); path != "" {
			j.paths = append(j.paths, path)
		}
	}
	return lines.Err()
}

// set sets an option.
func (j *jvm) set(option, value string) error {
	switch option {
	case "-n", "--name", "-x", "--description", "--checksum-algorithm":
		key := strings.TrimLeft(option, "-")[:1]
		if j.once[key] {
			j.logErr("ERROR", "ome.formats.importer.cli.CommandLineImporter", "Conflicting arguments setting "+option+".")
			return j.usage("")
		}
		j.once[key] = true
	}
	switch option {
	case "-n", "--name":
		j.name = value
	case "-x", "--description":
		j.description = value
	case "-d":
		return j.setContainer("Dataset", value)
	case "-r":
		return j.setContainer("Screen", value)
	case "-T", "--target":
		j.target = value
	case "--transfer":
		if !transfers[value] {
			return j.crash("java.lang.RuntimeException: java.lang.ClassNotFoundException: " + value)
		}
		j.transfer = value
	case "--exclude":
		if value != "filename" && value != "clientpath" {
			return j.crash("java.lang.RuntimeException: java.lang.ClassNotFoundException: " + value)
		}
		j.exclude = append(j.exclude, value)
	case "--output":
		j.output = value
	case "--encrypted":
		j.encrypted = value == "true"
	case "--parallel-upload", "--parallel-fileset":
		if n, err := strconv.Atoi(value); err != nil || n < 1 {
			return j.crash("java.lang.NumberFormatException: For input string: \"" + value + "\"")
		}
	case "-c":
		j.goOn = true
	case "-f":
		j.list = true
	}
	return nil
}

func (j *jvm) setContainer(kind, value string) error {
	if !strings.HasPrefix(value, kind+":") {
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return j.crash("java.lang.NumberFormatException: For input string: \"" + value + "\"")
		}
		value = kind + ":" + value
	}
	j.target = value
	return nil
}

// crash ends Java by an exception before it has begun.
func (j *jvm) crash(exception string) error {
	j.errln("Exception in thread \"main\" " + exception)
	return &exit{1}
}
