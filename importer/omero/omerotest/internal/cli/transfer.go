package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode"

	"biomero-importer/importer/omero/omerotest/internal/bioformats"
	"biomero-importer/importer/omero/omerotest/internal/server"
)

// transfers are the ways for files to get into the repository.
var transfers = map[string]bool{
	"ln_s": true, "ln": true, "cp": true, "upload": true, "ln_rm": true, "cp_rm": true, "upload_rm": true,
}

// makeTemplatePath makes the folder of a fileset below the repository, which no
// other has: <user>_<id>/<yyyy-MM>/<dd>/<HH-mm-ss.SSS>/ (contract, "In-place").
// The server's log of the import lies beside it.
func (j *jvm) makeTemplatePath(actor server.Actor) (string, error) {
	now := time.Now()
	day := fmt.Sprintf("%s_%d/%s", sanitise(actor.User.Name), actor.User.ID, now.Format("2006-01/02"))
	if err := j.makeFolder(filepath.Join(j.Repository, day)); err != nil {
		return "", err
	}
	for n := now.Nanosecond() / int(time.Millisecond); ; n++ {
		path := fmt.Sprintf("%s/%s.%03d", day, now.Format("15-04-05"), n)
		err := os.Mkdir(filepath.Join(j.Repository, path), 0o755) //nolint:gosec // as the server makes it
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		return path + "/", j.makeLog(filepath.Join(j.Repository, path+".log"))
	}
}

// makeFolder makes a folder, unless it was the last one.
func (j *jvm) makeFolder(path string) error {
	if path == j.folder {
		return nil
	}
	j.folder = path
	return os.MkdirAll(path, 0o755) //nolint:gosec // as the server makes it
}

func (j *jvm) makeLog(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // as the server makes it
	if err != nil {
		return err
	}
	return f.Close()
}

// replacements are the characters that no path of a client may have.
var replacements = strings.NewReplacer(`"`, "'", "*", "x", ":", ";", "<", "[", ">", "]", "?", "%", `\`, "!", "|", "!")

// device are the names that Windows keeps for itself.
var device = regexp.MustCompile(`(?i)^(aux|con|nul|prn|clock\$|(com|lpt)[1-9])$`)

// sanitise makes a component of a path safe, as the import client does (omero-blitz,
// "Windows required" and "UNIX required").
func sanitise(component string) string {
	stem, _, extended := strings.Cut(component, ".")
	if strings.HasPrefix(component, "$") || (extended && device.MatchString(stem)) {
		component = "_" + component
	} else if device.MatchString(stem) {
		component += "_"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '_'
		}
		return r
	}, replacements.Replace(component))
}

// clientPaths are the paths as OMERO keeps them: without the leading "/", each
// component sanitised.
func clientPaths(files []string) []string {
	all := make([]string, 0, len(files))
	for _, file := range files {
		components := strings.Split(strings.TrimPrefix(file, "/"), "/")
		for i, c := range components {
			components[i] = sanitise(c)
		}
		all = append(all, strings.Join(components, "/"))
	}
	return all
}

// managed are the paths below a fileset's folder: what comes after the folder
// that all files are in. With parent that folder's name is kept too, as the
// reader of Zarr asks for.
func managed(paths []string, parent bool) []string {
	base := strings.Split(filepath.Dir(paths[0]), "/")
	for _, path := range paths {
		components := strings.Split(filepath.Dir(path), "/")
		n := 0
		for n < len(base) && n < len(components) && base[n] == components[n] {
			n++
		}
		base = base[:n]
	}
	drop := len(base)
	if parent {
		for i, c := range base {
			if strings.HasSuffix(c, ".zarr") {
				drop = i
				break
			}
		}
	}
	all := make([]string, 0, len(paths))
	for _, path := range paths {
		all = append(all, strings.Join(strings.Split(path, "/")[drop:], "/"))
	}
	return all
}

// transferAll brings all files of a fileset into the repository.
func (j *jvm) transferAll(c *bioformats.Candidate, fs server.Fileset) error {
	for i, file := range c.Used {
		location := filepath.Join(j.Repository, fs.Files[i])
		if dir := filepath.Dir(fs.Files[i]); dir+"/" != fs.TemplatePrefix {
			if err := os.MkdirAll(filepath.Join(j.Repository, dir), 0o755); err != nil { //nolint:gosec // as the server makes it
				return err
			}
		}
		if err := j.transferOne(file, location); err != nil {
			return err
		}
	}
	return nil
}

const rule = "\n---------------------------------------------------\n"

func (j *jvm) transferOne(file, location string) error {
	if _, due := j.due(server.NoAccess); due {
		return &server.Exception{Class: "java.lang.RuntimeException", Message: rule +
			"Check failed: " + location + " does not exist!\n" +
			"You likely do not have access to the ManagedRepository for in-place import.\nAborting..." + rule}
	}
	var err error
	switch j.transfer {
	case "ln_s":
		err = os.Symlink(file, location)
	case "ln", "ln_rm":
		err = os.Link(file, location)
	default:
		err = copyFile(file, location)
	}
	switch {
	case errors.Is(err, os.ErrExist):
		return &server.Exception{Class: "java.lang.RuntimeException", Message: location + " exists!"}
	case err != nil:
		return &server.Exception{Class: "java.io.IOException", Message: err.Error()}
	}
	_, due := j.due(server.NoSize)
	if _, err := os.Stat(location); err != nil || due {
		return &server.Exception{Class: "java.lang.RuntimeException", Message: "omero.ResourceError : \n" +
			"The server could not check the size of the file:\n-----------------------------------------------\n" + location +
			"\n-----------------------------------------------\nMost likely the server process has no read access\n" +
			"and therefore in-place import cannot proceed. You\nshould delete this file manually if you are sure\n" +
			"that the original is safe.\n"}
	}
	return nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from) //nolint:gosec // what the test asked for
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // below the repository
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// afterTransfer does what a way of transfer does to the sources if there was no
// error at all: ln_s takes the right to write from them (omero-blitz,
// SymlinkFileTransfer), and those that end in _rm remove them.
func (j *jvm) afterTransfer(all []*bioformats.Candidate) error {
	if j.errors > 0 {
		return nil
	}
	for _, c := range all {
		for _, file := range c.Used {
			switch {
			case j.transfer == "ln_s":
				readOnly(file)
			case strings.HasSuffix(j.transfer, "_rm"):
				if err := os.Remove(file); err != nil {
					j.logErr("ERROR", "ome.formats.importer.cli.CommandLineImporter", "Failed to cleanup 1 files")
					return &exit{3}
				}
			}
		}
	}
	return nil
}

// readOnly takes the right to write from a file that is no link, if it can.
func readOnly(file string) {
	if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
		_ = os.Chmod(file, info.Mode().Perm()&^0o222)
	}
}
