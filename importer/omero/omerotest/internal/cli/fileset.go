package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"biomero-importer/importer/omero/omerotest/internal/bioformats"
	"biomero-importer/importer/omero/omerotest/internal/server"
)

const libraryLog = "ome.formats.importer.ImportLibrary"

// importAll imports one fileset after the other, and stops at the first that
// fails unless told to go on. Having gone on counts as success.
func (j *jvm) importAll(all []*bioformats.Candidate) bool {
	for i, c := range all {
		if i > 0 && j.pending { // the first fileset's was taken at the beginning
			if f, struck := j.strike(server.AtImport, i); struck {
				j.fault = &f
			}
		}
		err := j.importOne(c)
		if err == nil {
			continue
		}
		text := "Error on import"
		var e *server.Exception
		if errors.As(err, &e) && strings.HasPrefix(e.Class, "omero.") {
			text += ": " + e.Message
		}
		j.logErr("ERROR", libraryLog, text)
		j.errln(err.Error())
		if !j.goOn {
			j.logErr("INFO", libraryLog, "Exiting on error")
			return false
		}
		j.logErr("INFO", libraryLog, "Continuing after error")
	}
	return true
}

// importOne imports a fileset. In this order: the target is looked up, the server
// records the fileset, the files are linked, the server makes the images, the
// record is printed.
func (j *jvm) importOne(c *bioformats.Candidate) error {
	if j.broken != nil {
		return j.broken
	}
	target, err := j.loadTarget()
	if err != nil {
		j.logErr("ERROR", libraryLog, "Could not load target: "+j.target)
		return err
	}
	if j.excluded(c) {
		j.logErr("INFO", libraryLog, "FILESET_EXCLUSION: "+c.File)
		return nil
	}
	j.crashes(server.Crash)
	if _, ok := j.due(server.JavaKilled); ok {
		j.parent = 0 // it lives on
		j.kill()
	}
	if j.fault != nil && j.fault.Kind == server.Hang {
		hang(*j.fault)
		j.fault = nil
	}
	if err := j.breaks(server.Lost, server.TimedOut, server.SessionGone, server.Refused); err != nil {
		return err
	}
	wait(j.options.FilesetTime)
	fs, err := j.create(c)
	if err != nil {
		return err
	}
	j.crashes(server.CrashBeforeLink)
	if err := j.transferAll(c, fs); err != nil {
		j.errors++
		j.logErr("ERROR", "ome.formats.importer.cli.ErrorHandler", "FILE_EXCEPTION: "+c.File)
		return err
	}
	j.crashes(server.CrashAfterLink)
	if c.Fails {
		j.errors++
		return &server.Exception{Class: "omero.cmd.ERR", Message: "Failure response on import! Category: ::omero::grid::ImportRequest Name: import-request-failure"}
	}
	if j.fault != nil && j.fault.Kind == server.ServerGoesOn {
		j.leave()
		wait(j.fault.Delay)
	}
	images, plates, err := j.finish(c, fs, target)
	if err != nil {
		return err
	}
	if j.left {
		j.kill()
	}
	j.crashes(server.CrashBeforePrint)
	if err := j.breaks(server.LostBeforePrint); err != nil {
		return err
	}
	j.done++
	j.files += len(c.Used)
	j.images += len(images)
	j.plates += len(plates)
	j.print(fs, images, plates)
	j.crashes(server.CrashAfterPrint)
	return nil
}

// due reports whether the fault is of a kind, and takes it.
func (j *jvm) due(kinds ...server.Kind) (server.Kind, bool) {
	if j.fault == nil || !slices.Contains(kinds, j.fault.Kind) {
		return "", false
	}
	kind := j.fault.Kind
	j.fault = nil
	return kind, true
}

func (j *jvm) crashes(kind server.Kind) {
	if _, ok := j.due(kind); ok {
		j.kill()
	}
}

// breaks breaks the connection, for the rest of the run too.
func (j *jvm) breaks(kinds ...server.Kind) error {
	kind, ok := j.due(kinds...)
	if !ok {
		return nil
	}
	j.broken = ice(kind)
	if kind == server.SessionGone {
		j.broken = j.gone()
	}
	return j.broken
}

// create has the server record the fileset and make its folder.
func (j *jvm) create(c *bioformats.Candidate) (server.Fileset, error) {
	if _, full := j.due(server.DiskFull); full {
		return server.Fileset{}, &server.Exception{
			Class:   "omero.ResourceError",
			Message: "could not create directory: No space left on device",
		}
	}
	actor := j.client.actor
	prefix, err := j.makeTemplatePath(actor)
	if err != nil {
		return server.Fileset{}, &server.Exception{Class: "omero.ResourceError", Message: err.Error()}
	}
	paths := clientPaths(c.Used)
	files := managed(paths, c.Parent)
	for i, f := range files {
		files[i] = prefix + f
	}
	var fs server.Fileset
	err = j.Store.Update(func(tx *server.Tx) error {
		j.pending = tx.Pending(server.AtImport)
		if _, err := tx.Join(actor.Session.UUID); err != nil {
			return ice(server.SessionGone)
		}
		fs = tx.CreateFileset(actor, prefix, paths, files)
		return nil
	})
	return fs, err
}

// leave ends the client: from here on the process is the server alone.
func (j *jvm) leave() {
	_, _ = syscall.Setsid() // whoever kills the client does not kill the server
	if j.parent == os.Getppid() {
		_ = syscall.Kill(j.parent, syscall.SIGKILL)
	}
	for _, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		_ = f.Close()
	}
	j.left = true
}

// finish has the server make the images and plates.
func (j *jvm) finish(c *bioformats.Candidate, fs server.Fileset, target server.Target) (images []server.Image, plates []server.Plate, err error) {
	err = j.Store.Update(func(tx *server.Tx) error {
		j.pending = tx.Pending(server.AtImport)
		images, plates = tx.ImportFileset(j.client.actor, fs.ID, j.product(c), j.description, target)
		return nil
	})
	return images, plates, err
}

// product names what is in a candidate: after -n, or else after its main file;
// images of which there are several by their place besides.
func (j *jvm) product(c *bioformats.Candidate) server.Product {
	name := j.name
	if name == "" {
		name = filepath.Base(c.File)
		if c.Parent {
			name = zarrName(c.File)
		}
	}
	var p server.Product
	for i := range c.Images {
		image := name
		if c.Images > 1 {
			image = fmt.Sprintf("%s [Series %d]", name, i+1)
		}
		p.Images = append(p.Images, image)
	}
	for i, fields := range c.Plates {
		plate := server.PlateProduct{Name: name}
		if len(c.Plates) > 1 {
			plate.Name = fmt.Sprintf("%s [Plate %d]", name, i+1)
		}
		for field := range fields {
			plate.Images = append(plate.Images, fmt.Sprintf("%s [Well %d]", plate.Name, field+1))
		}
		p.Plates = append(p.Plates, plate)
	}
	return p
}

// zarrName is the name of the folder that ends in .zarr.
func zarrName(path string) string {
	for component := range strings.SplitSeq(path, "/") {
		if strings.HasSuffix(component, ".zarr") {
			return component
		}
	}
	return filepath.Base(path)
}

// excluded reports whether an exclusion vetoes a candidate: by what was imported
// from the same path, or under the same name.
func (j *jvm) excluded(c *bioformats.Candidate) bool {
	if j.exclude == nil {
		return false
	}
	veto := false
	path := clientPaths([]string{c.File})[0]
	_ = j.Store.View(func(w *server.World) {
		for _, fs := range w.Filesets() {
			if !w.Sees(j.client.actor, fs.Details, false) {
				continue
			}
			for _, p := range fs.ClientPaths {
				veto = veto || p == path && slices.Contains(j.exclude, "clientpath") ||
					filepath.Base(p) == filepath.Base(path) && slices.Contains(j.exclude, "filename")
			}
		}
	})
	return veto
}
