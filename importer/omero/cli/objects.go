package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

// groupMayWrite is the bit of perm1 that lets a group's members change each other's data, and
// so link to it: ome.model.internal.Permissions has WRITE as 2, and GROUP 4 bits to the left.
const groupMayWrite = 2 << 4

// Mark is the highest ids that a server has given: what is made later has higher ones.
type Mark struct{ Fileset, Image int64 }

// Container looks at a container as the session's user. model.ErrNotFound: there is none
// that the user can see.
func (s *Session) Container(ctx context.Context, typ importer.ContainerType, id int64) (c model.Container, m Mark, err error) {
	doing := fmt.Sprintf("looking for the %s %d", typ, id)
	rows, err := s.query(ctx, doing, fmt.Sprintf("select d.name, d.details.owner.omeName, d.details.group.name, d.details.permissions.perm1, "+
		"(select max(f.id) from Fileset f), (select max(x.id) from Image x) from %s d where d.id=%d", typ, id), 6)
	if err != nil {
		return c, m, err
	}
	if len(rows) == 0 {
		return c, m, fmt.Errorf("%s: %w", doing, model.ErrNotFound)
	}
	row := rows[0]
	perm, err := strconv.ParseInt(row[3], 10, 64)
	if err == nil {
		m, err = decodeMark(row[4:])
	}
	if err != nil {
		return c, m, fmt.Errorf("%s: understanding what OMERO answered: %w", doing, err)
	}
	c = model.Container{Type: typ, ID: id, Name: row[0], Owner: row[1], Group: row[2]}
	c.CanLink = c.Owner == s.user || perm&groupMayWrite != 0
	if !c.CanLink {
		c.CanLink, err = s.leads(ctx, c.Group)
	}
	return c, m, err
}

// Mark returns the highest ids that there are.
func (s *Session) Mark(ctx context.Context) (Mark, error) {
	const doing = "looking for the highest ids"
	rows, err := s.query(ctx, doing, "select max(f.id), (select max(x.id) from Image x) from Fileset f", 2)
	if err != nil || len(rows) == 0 {
		return Mark{}, err
	}
	m, err := decodeMark(rows[0])
	if err != nil {
		return Mark{}, fmt.Errorf("%s: understanding what OMERO answered: %w", doing, err)
	}
	return m, nil
}

// decodeMark reads two ids. Where there is nothing yet there are none.
func decodeMark(columns []string) (m Mark, err error) {
	for i, to := range []*int64{&m.Fileset, &m.Image} {
		if columns[i] == null {
			continue
		}
		if *to, err = strconv.ParseInt(columns[i], 10, 64); err != nil {
			return Mark{}, err
		}
	}
	return m, nil
}

// leads reports whether the user may change what others own: the leaders of a group and
// administrators do.
func (s *Session) leads(ctx context.Context, group string) (bool, error) {
	rows, err := s.query(ctx, "looking for the group's leaders", "select m.owner from GroupExperimenterMap m where m.child.omeName="+
		literal(s.user)+" and m.parent.name="+literal(group), 1)
	if err != nil || len(rows) > 0 && rows[0][0] == "True" {
		return err == nil, err
	}
	rows, err = s.query(ctx, "looking for the user's groups",
		"select m.parent.id, m.parent.name from GroupExperimenterMap m where m.child.omeName="+literal(s.user), 2)
	return slices.ContainsFunc(rows, func(row []string) bool { return row[1] == "system" }), err
}

// Entry is one file of a fileset.
type Entry struct {
	Fileset    int64
	Prefix     string // the folder of its links, below the managed repository
	ClientPath string // see ClientPath; of an OME-Zarr's chunks one folder stands for all below it
}

// maxZarrDepth is how far below an OME-Zarr's folder all entries tell files apart: a field of
// a plate is in a row, a column and a folder of its own (NGFF, "High-content screening").
// Further below, chunks do not.
const maxZarrDepth = 3

// folded is a client path, or that of the folder which stands for it.
func folded(path string) string {
	parts := strings.Split(path, "/")
	for at, part := range slices.Backward(parts) {
		if importer.IsZarr(part) {
			end := len(parts)
			for end > at+1+maxZarrDepth && isChunk(parts[end-1]) {
				end--
			}
			return strings.Join(parts[:end], "/")
		}
	}
	return path
}

// isChunk reports whether chunks, or folders of them, have such a name: coordinates, below a
// folder c in the later versions of Zarr.
func isChunk(name string) bool { return name == "c" || strings.Trim(name, "0123456789.") == "" }

const selectEntries = "select fs.id, fs.templatePrefix, u.clientPath from Fileset fs join fs.usedFiles u where "

// Entries are the files of filesets.
func (s *Session) Entries(ctx context.Context, filesets []int64) (entries []Entry, err error) {
	for ids := range slices.Chunk(filesets, maxIDs) {
		more, err := s.entries(ctx, selectEntries+"fs.id in ("+idList(ids)+")")
		if err != nil {
			return nil, err
		}
		entries = append(entries, more...)
	}
	return entries, nil
}

// EntriesSince are the files of the user's filesets in a container that are newer than a mark.
func (s *Session) EntriesSince(ctx context.Context, typ importer.ContainerType, container int64, m Mark) ([]Entry, error) {
	in := "select i.fileset.id from Image i join i.datasetLinks l"
	if typ == importer.Screen {
		in = "select s.image.fileset.id from WellSample s join s.well w join w.plate p join p.screenLinks l"
	}
	return s.entries(ctx, selectEntries+fmt.Sprintf("fs.id > %d and fs.details.owner.omeName=%s and fs.id in (%s where l.parent.id=%d)",
		m.Fileset, literal(s.user), in, container))
}

// Registered are the user's images in a Dataset that have no fileset and are newer than a
// mark, by name.
func (s *Session) Registered(ctx context.Context, dataset int64, m Mark) (map[string][]int64, error) {
	rows, err := s.query(ctx, "looking for registered images", fmt.Sprintf("select i.id, i.name from Image i join i.datasetLinks l "+
		"where l.parent.id=%d and i.id > %d and i.fileset is null and i.details.owner.omeName=%s", dataset, m.Image, literal(s.user)), 2)
	if err != nil {
		return nil, err
	}
	found := map[string][]int64{}
	for _, row := range rows {
		ids, err := idRow(row, 1)
		if err != nil {
			return nil, fmt.Errorf("looking for registered images: %w", err)
		}
		found[row[1]] = append(found[row[1]], ids[0])
	}
	return found, nil
}

// Unfinished are the files of the user's filesets that are newer than a mark and have no
// images: those of imports that failed, or that the server is still at.
func (s *Session) Unfinished(ctx context.Context, m Mark) ([]Entry, error) {
	return s.entries(ctx, selectEntries+fmt.Sprintf("fs.id > %d and fs.details.owner.omeName=%s and not exists (select i.id from Image i where i.fileset.id=fs.id)",
		m.Fileset, literal(s.user)))
}

func (s *Session) entries(ctx context.Context, hql string) (entries []Entry, err error) {
	known := map[Entry]bool{}
	err = s.each(ctx, "looking for the files of filesets", hql, 3, func(row []string) error {
		ids, err := idRow(row, 1)
		if err != nil {
			return err
		}
		e := Entry{Fileset: ids[0], Prefix: row[1], ClientPath: folded(row[2])}
		if !known[e] {
			known[e] = true
			entries = append(entries, e)
		}
		return nil
	})
	return entries, err
}

// Members are the images and plates of filesets.
func (s *Session) Members(ctx context.Context, filesets []int64) (images, plates map[int64][]int64, err error) {
	images, err = s.members(ctx, "select i.fileset.id, i.id from Image i where i.fileset.id in (%s)", filesets)
	if err == nil {
		plates, err = s.members(ctx, "select distinct s.image.fileset.id, s.well.plate.id from WellSample s where s.image.fileset.id in (%s)", filesets)
	}
	return images, plates, err
}

func (s *Session) members(ctx context.Context, hql string, filesets []int64) (map[int64][]int64, error) {
	found := map[int64][]int64{}
	for ids := range slices.Chunk(filesets, maxIDs) {
		rows, err := s.query(ctx, "looking for what filesets hold", fmt.Sprintf(hql, idList(ids)), 2)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			pair, err := idRow(row, 2)
			if err != nil {
				return nil, fmt.Errorf("looking for what filesets hold: %w", err)
			}
			found[pair[0]] = append(found[pair[0]], pair[1])
		}
	}
	for _, ids := range found {
		slices.Sort(ids) // as they were made
	}
	return found, nil
}

// Loose are annotations of an order that hang on nothing: whatever made them died then.
func (s *Session) Loose(ctx context.Context, namespace, order string) ([]int64, error) {
	rows, err := s.query(ctx, "looking for annotations", "select a.id from MapAnnotation a where a.ns="+literal(namespace)+" and a.description="+literal(order)+
		" and not exists (select l.id from ImageAnnotationLink l where l.child.id=a.id)"+
		" and not exists (select l.id from PlateAnnotationLink l where l.child.id=a.id)", 1)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(rows))
	for i, row := range rows {
		found, err := idRow(row, 1)
		if err != nil {
			return nil, fmt.Errorf("looking for annotations: %w", err)
		}
		ids[i] = found[0]
	}
	return ids, nil
}

// Annotated is an annotation that an object has.
type Annotated struct {
	Object     model.Object
	Annotation int64
	Order      string // value of its pair UUID; empty if it has none yet
}

// Annotations are those in a namespace that objects of one type have.
func (s *Session) Annotations(ctx context.Context, namespace string, typ model.ObjectType, objects []int64) (found []Annotated, err error) {
	o := strings.ToLower(string(typ[:1]))
	from := fmt.Sprintf("from %s %s join %s.annotationLinks al join al.child ann", typ, o, o)
	for ids := range slices.Chunk(objects, maxIDs) {
		where := "where ann.ns=" + literal(namespace) + " and "
		these := fmt.Sprintf("%s.id in (%s)", o, idList(ids))
		all, err := s.query(ctx, "looking for annotations", fmt.Sprintf("select %s.id, ann.id %s ", o, from)+where+these, 2)
		if err != nil {
			return nil, err
		}
		complete, err := s.query(ctx, "looking for annotations", fmt.Sprintf("select %s.id, ann.id, mv.value %s join ann.mapValue mv ", o, from)+
			where+"mv.name='UUID' and "+these, 3)
		if err != nil {
			return nil, err
		}
		orders := map[string]string{}
		for _, row := range complete {
			orders[row[1]] = row[2]
		}
		for _, row := range all {
			pair, err := idRow(row, 2)
			if err != nil {
				return nil, fmt.Errorf("looking for annotations: %w", err)
			}
			found = append(found, Annotated{Object: model.Object{Type: typ, ID: pair[0]}, Annotation: pair[1], Order: orders[row[1]]})
		}
	}
	return found, nil
}
