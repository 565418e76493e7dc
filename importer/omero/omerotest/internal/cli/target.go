package cli

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

var byName = regexp.MustCompile(`^[-+%@]?name$`)

// loadTarget finds what the images go into, anew for each fileset, or makes it
// (omero-blitz, ModelImportTarget).
func (j *jvm) loadTarget() (server.Target, error) {
	if j.target == "" {
		return server.Target{}, nil
	}
	parts := strings.SplitN(j.target, ":", 3)
	kind := parts[0]
	if kind != server.Dataset && kind != server.Screen {
		return server.Target{}, &server.Exception{Class: "java.lang.RuntimeException", Message: "Not a valid container class:" + kind}
	}
	switch {
	case len(parts) == 2:
		return j.targetByID(kind, parts[1])
	case len(parts) == 3 && parts[1] == "id":
		return j.targetByID(kind, parts[2])
	case len(parts) == 3 && byName.MatchString(parts[1]):
		return j.targetByName(kind, parts[1], parts[2])
	default:
		return server.Target{}, &server.Exception{Class: "java.lang.RuntimeException", Message: "Unknown discriminator"}
	}
}

func (j *jvm) targetByID(kind, number string) (server.Target, error) {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return server.Target{}, &server.Exception{Class: "java.lang.NumberFormatException", Message: "For input string: " + number}
	}
	actor := j.client.actor
	var (
		c        server.Container
		findErr  error
		linkable bool
	)
	err = j.Store.View(func(w *server.World) {
		c, findErr = w.FindTarget(actor, kind, id)
		linkable = w.CanLink(actor, c.Details)
	})
	switch {
	case err != nil:
		return server.Target{}, err
	case findErr != nil:
		return server.Target{}, findErr
	case !linkable:
		j.logErr("ERROR", libraryLog, "Cannot link to target")
		return server.Target{}, &server.Exception{Class: "java.lang.IllegalArgumentException", Message: "Cannot link to target"}
	}
	return server.Target{Type: kind, ID: id}, nil
}

// targetByName takes the newest of a name ("-name" the oldest, "%name" the only
// one), and makes one if there is none ("@name" always).
func (j *jvm) targetByName(kind, how, name string) (server.Target, error) {
	actor := j.client.actor
	var id int64
	err := j.Store.Update(func(tx *server.Tx) error {
		var all []int64
		for _, c := range tx.Containers(kind) {
			if c.Name == name && tx.Sees(actor, c.Details, false) && tx.CanLink(actor, c.Details) {
				all = append(all, c.ID)
			}
		}
		if len(all) == 0 || how == "@name" {
			id = tx.NewContainer(actor, server.Container{Type: kind, Name: name}).ID
			return nil
		}
		if how == "%name" && len(all) > 1 {
			return &server.Exception{Class: "java.lang.RuntimeException", Message: "No unique " + kind + " available"}
		}
		id = slices.Max(all)
		if how == "-name" {
			id = slices.Min(all)
		}
		return nil
	})
	return server.Target{Type: kind, ID: id}, err
}
