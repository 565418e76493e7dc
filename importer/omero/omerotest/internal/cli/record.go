package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"biomero-importer/importer/omero/omerotest/internal/bioformats"
	"biomero-importer/importer/omero/omerotest/internal/server"
)

// print prints what became of a fileset (omero-blitz, LoggingImportMonitor), with
// what is logged around it.
func (j *jvm) print(fs server.Fileset, images []server.Image, plates []server.Plate) {
	j.logOut(fs)
	imageIDs, plateIDs := make([]string, 0, len(images)), make([]string, 0, len(plates))
	for _, i := range images {
		imageIDs = append(imageIDs, strconv.FormatInt(i.ID, 10))
	}
	for _, p := range plates {
		plateIDs = append(plateIDs, strconv.FormatInt(p.ID, 10))
	}
	kind, spoilt := j.due(server.Garbage, server.Truncated)
	if kind == server.Garbage {
		fmt.Fprint(j.stdout, "---\n- Fileset: \x00\n  Image: [12,\n}}} : - %\n")
		return
	}
	switch j.output {
	case "yaml":
		j.errln("Imported objects:")
		text := yamlRecord(fs.ID, imageIDs, plateIDs)
		if spoilt {
			text = text[:len(text)*2/3]
		}
		fmt.Fprint(j.stdout, text)
		if spoilt {
			j.stdout = io.Discard
		}
	case "legacy":
		j.errln("Imported pixels:")
		fmt.Fprintln(j.stdout, strings.Join(imageIDs, "\n"))
		j.errln(fmt.Sprintf("Other imported objects:\nFileset:%d", fs.ID))
		for _, id := range imageIDs {
			j.errln("Image:" + id)
		}
		for _, id := range plateIDs {
			j.errln("Plate:" + id)
		}
	default:
		fmt.Fprintf(j.stdout, "Image:%s\n", strings.Join(imageIDs, ","))
	}
}

// logOut writes to standard output what may stand before a record; without a
// record nothing does (contract, the table of exits).
func (j *jvm) logOut(fs server.Fileset) {
	if j.done == 1 {
		j.line(j.stdout, "INFO", "ome.formats.importer.ImportConfig", "OMERO.blitz Version: 5.8.0")
		j.line(j.stdout, "INFO", "ome.formats.importer.ImportConfig", "Bioformats version: 8.1.1 revision: 0")
	}
	j.line(j.stdout, "INFO", "ome.formats.importer.cli.LoggingImportMonitor", "IMPORT_DONE Imported file: "+fs.ClientPaths[0])
}

// yamlRecord is a document of one record, whose keys have no order.
func yamlRecord(fileset int64, images, plates []string) string {
	keys := []string{fmt.Sprintf("Fileset: %d", fileset)}
	if len(images) > 0 {
		keys = append(keys, "Image: ["+strings.Join(images, ",")+"]")
	}
	if len(plates) > 0 {
		keys = append(keys, "Plate: ["+strings.Join(plates, ",")+"]")
	}
	return "---\n- " + strings.Join(shuffled(keys), "\n  ") + "\n"
}

// printUsed prints which files belong together, without importing any.
func (j *jvm) printUsed(all []*bioformats.Candidate) error {
	if j.output == "yaml" {
		fmt.Fprintln(j.stdout, "---")
	}
	for _, c := range all {
		if j.output == "yaml" {
			fmt.Fprintf(j.stdout, "- group: %q\n  spw: %t\n  reader: %q\n  files:\n", c.File, c.SPW(), c.Reader)
			for _, file := range c.Used {
				fmt.Fprintf(j.stdout, "    - %q\n", file)
			}
			continue
		}
		fmt.Fprintf(j.stdout, "#======================================\n# Group: %s SPW: %t Reader: %s\n", c.File, c.SPW(), c.Reader)
		for _, file := range c.Used {
			fmt.Fprintln(j.stdout, file)
		}
	}
	if len(all) == 0 {
		return &exit{125}
	}
	return nil
}
