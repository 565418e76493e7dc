package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"biomero-importer/importer/omero/omerotest/internal/server"
)

// delete deletes filesets (omero-py, plugins/delete.py); of what it knows besides,
// nobody needs anything.
func (a *app) delete() error {
	c, err := a.conn()
	if err != nil {
		return err
	}
	for _, object := range a.values["obj"] {
		kind, list, _ := strings.Cut(object, ":")
		if kind != "Fileset" {
			return a.die(2, "omerotest: only filesets are deleted, no %s", kind)
		}
		for number := range strings.SplitSeq(list, ",") {
			id, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				return a.die(2, "Bad object: %s", object)
			}
			var files []string
			err = a.Store.Update(func(tx *server.Tx) (err error) {
				files, err = tx.DeleteFileset(c.actor, id)
				return err
			})
			if err != nil {
				return a.die(1, "omero.cmd.Delete2 Fileset %d... failed: %v", id, err)
			}
			for _, file := range files {
				if err := os.Remove(filepath.Join(a.Repository, file)); err != nil {
					return err
				}
			}
			a.out(fmt.Sprintf("omero.cmd.Delete2 Fileset %d... ok", id))
		}
	}
	return nil
}
