package preprocess

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	files = "{Files}"
	// maxCommand bounds a command line; Linux takes 128 KiB in one argument.
	maxCommand = 100 << 10
)

// Command is the converter's command line. The parameters are sorted by their names. An
// *Error says what is wrong with the request.
func (r *Request) Command() ([]string, error) {
	if err := r.checkFolders(); err != nil {
		return nil, err
	}
	if !utf8.ValidString(r.Path) {
		return nil, &Error{Reason: fmt.Sprintf("The path %q is not written in UTF-8, so that no container can be told of it: rename it.", r.Path)}
	}
	input := path.Join(r.OutputFolder, filepath.Base(r.Path))
	args := []string{"--inputfile", strings.ReplaceAll(r.InputFile, files, input)}
	for _, key := range slices.Sorted(maps.Keys(r.Params)) {
		if err := checkKey(key); err != nil {
			return nil, err
		}
		value, flag, err := argument(r.Params[key], input)
		if err != nil {
			return nil, &Error{Reason: fmt.Sprintf("The converter's parameter %q cannot be written: %v.", key, err), Err: err}
		}
		switch flag {
		case omitted:
		case bare:
			args = append(args, "--"+key)
		default:
			args = append(args, "--"+key, value)
		}
	}
	args = append(args, "--outputfolder", path.Join(r.OutputFolder, r.processed()))
	if r.AltOutputFolder != "" {
		args = append(args, "--altoutputfolder", r.AltOutputFolder)
	}
	size := 0
	for _, arg := range args {
		if strings.ContainsRune(arg, 0) {
			return nil, &Error{Reason: "The converter's command line contains a zero byte, which no program can be given."}
		}
		size += len(arg)
	}
	if size > maxCommand {
		return nil, &Error{Reason: fmt.Sprintf("The converter's command line is %d bytes long, more than %d: shorten its parameters.", size, maxCommand)}
	}
	return args, nil
}

// processed is the name of the folder where files stay.
func (r *Request) processed() string {
	if r.Processed == "" {
		return ".processed"
	}
	return r.Processed
}

// checkFolders makes sure that the two folders of a container lie apart, so that a path
// in it is in one of them.
func (r *Request) checkFolders() error {
	out, alt := r.OutputFolder, r.AltOutputFolder
	for name, dir := range map[string]string{"output_folder": out, "alt_output_folder": alt} {
		if dir == "" && name == "alt_output_folder" {
			continue
		}
		if !path.IsAbs(dir) || path.Clean(dir) != dir || slices.Contains(reserved, "/"+strings.Split(dir, "/")[1]) {
			return &Error{Reason: fmt.Sprintf("The converter's %s %q has to be a whole path such as /data, and none of the system's folders.", name, dir)}
		}
	}
	if alt != "" && (below(alt, out) || below(out, alt)) {
		return &Error{Reason: fmt.Sprintf("The converter's output_folder %q and alt_output_folder %q lie in each other: take /data and /out.", out, alt)}
	}
	return nil
}

// reserved are the folders that a container needs for itself.
var reserved = []string{"/", "/bin", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/tmp", "/usr"}

// below reports whether a cleaned path is dir or lies in it.
func below(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }

// checkKey refuses what is no name of a parameter, or one that the importer gives.
func checkKey(key string) error {
	switch {
	case key == "" || strings.HasPrefix(key, "-") || strings.ContainsAny(key, "= \t\r\n\x00"):
		return &Error{Reason: fmt.Sprintf("The converter's parameter %q has no valid name: give it without dashes, spaces and \"=\".", key)}
	case key == "inputfile" || key == "outputfolder" || key == "altoutputfolder":
		return &Error{Reason: fmt.Sprintf("The converter's parameter %q is given by the importer: leave it out.", key)}
	}
	return nil
}

// How a parameter's value is written.
type form int

const (
	valued form = iota
	bare
	omitted
)

// argument writes a parameter's value, with the input's path in it.
func argument(value any, input string) (string, form, error) {
	switch v := value.(type) {
	case bool:
		if v {
			return "", bare, nil
		}
		return "", omitted, nil
	case nil:
		return "null", valued, nil
	case string:
		return strings.ReplaceAll(v, files, input), valued, nil
	}
	text, err := jsonText(value)
	if err != nil {
		return "", valued, err
	}
	quoted, err := jsonText(input)
	if err != nil {
		return "", valued, err
	}
	// It can only be within a string of the JSON.
	return strings.ReplaceAll(text, files, quoted[1:len(quoted)-1]), valued, nil
}

func jsonText(value any) (string, error) {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	err := enc.Encode(value)
	return strings.TrimSuffix(text.String(), "\n"), err
}
