package cli

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"biomero-importer/importer"
	"biomero-importer/importer/omero/model"
)

// quote writes a word as Python's shlex reads it.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'"'"'`) + "'" }

// lineTime is what a line of omero obj may take more.
const lineTime = time.Second

// obj runs lines of omero obj, and returns the ids of what each made or changed. Lines that
// came before one that fails have taken effect.
func (s *Session) obj(ctx context.Context, doing string, lines []string) ([]int64, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	args := append([]string{"-q", "obj"}, s.cli.server()...)
	args = append(args, "-k", s.key, "--file", "-")
	stdout, _, err := s.cli.run(ctx, call{dir: s.dir, args: args, stdin: strings.Join(lines, "\n") + "\n", most: shortTime + time.Duration(len(lines))*lineTime})
	if err != nil {
		return nil, classed(doing, err)
	}
	ids, err := decodeProxies(stdout)
	if err == nil && len(ids) != len(lines) {
		err = fmt.Errorf("%d lines have %d answers", len(lines), len(ids))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: understanding what OMERO answered: %w", doing, err)
	}
	return ids, nil
}

// decodeProxies reads lines such as Image:5001.
func decodeProxies(stdout string) (ids []int64, err error) {
	for line := range strings.Lines(stdout) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		_, number, _ := strings.Cut(line, ":")
		id, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q names no object", line)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// Annotate makes annotations, or takes some that are there and hang on nothing. They are
// linked before they have their pairs, so that one that was not finished is found at its
// objects; the pair UUID comes last and says that it is.
func (s *Session) Annotate(ctx context.Context, annotations []model.Annotation, loose []int64) error {
	var lines []string
	fills := make([]Fill, len(annotations))
	made := map[int]int{} // annotation by its line
	for n, a := range annotations {
		fills[n].Pairs = a.Pairs
		child := fmt.Sprintf("child@=a%d", n)
		if n < len(loose) {
			fills[n].Annotation = loose[n]
			child = fmt.Sprintf("child=MapAnnotation:%d", loose[n])
		} else {
			made[len(lines)] = n
			lines = append(lines, fmt.Sprintf("a%d = new MapAnnotation %s %s", n, quote("ns="+a.Namespace), quote("description="+a.Order)))
		}
		for _, o := range a.Objects {
			lines = append(lines, fmt.Sprintf("new %sAnnotationLink parent=%s:%d %s", o.Type, o.Type, o.ID, child))
		}
	}
	ids, err := s.obj(ctx, "making annotations", lines)
	if err != nil {
		return err
	}
	for line, n := range made {
		fills[n].Annotation = ids[line]
	}
	return s.Fill(ctx, fills)
}

// Fill is an annotation that is to have pairs.
type Fill struct {
	Annotation int64
	Pairs      []importer.Pair
}

// maxArgument is what a value that spans lines may be long, in bytes: it goes as an argument,
// which Linux bounds to 128 KiB.
const maxArgument = 120 << 10

// uuidKey is the pair that says that an annotation is complete.
const uuidKey = "UUID"

// maxLines bounds, in bytes and but for one annotation, what one run of omero obj is told: a
// batch's annotations can be gigabytes.
const maxLines = 16 << 20

// Fill gives annotations their pairs. A value that spans lines takes a run of its own.
func (s *Session) Fill(ctx context.Context, fills []Fill) error {
	var lines, last []string
	size := 0
	for i, f := range fills {
		for _, p := range f.Pairs {
			line := fmt.Sprintf("map-set MapAnnotation:%d mapValue %s %s", f.Annotation, quote(oneLine(p.Key)), quote(p.Value))
			switch {
			case p.Key == uuidKey:
				last = append(last, line)
			case !strings.ContainsAny(p.Value, lineEnds):
				lines = append(lines, line)
			case len(p.Value) <= maxArgument:
				if err := s.set(ctx, f.Annotation, p); err != nil {
					return err
				}
			default:
				s.cli.log.WarnContext(ctx, "the lines of a long value are joined", slog.String("key", p.Key), slog.Int("bytes", len(p.Value)))
				lines = append(lines, fmt.Sprintf("map-set MapAnnotation:%d mapValue %s %s", f.Annotation, quote(oneLine(p.Key)), quote(oneLine(p.Value))))
			}
			size += len(line)
		}
		if size < maxLines && i < len(fills)-1 {
			continue
		}
		if _, err := s.obj(ctx, "writing annotations", append(lines, last...)); err != nil {
			return err
		}
		lines, last, size = nil, nil, 0
	}
	return nil
}

// lineEnds end a line for Python's universal newlines.
const lineEnds = "\n\r"

func oneLine(text string) string {
	return strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(text)
}

func (s *Session) set(ctx context.Context, annotation int64, p importer.Pair) error {
	args := append([]string{"-q", "obj"}, s.cli.server()...)
	args = append(args, "-k", s.key, "--", "map-set", fmt.Sprintf("MapAnnotation:%d", annotation), "mapValue", oneLine(p.Key), p.Value)
	_, _, err := s.cli.run(ctx, call{dir: s.dir, args: args})
	return classed("writing an annotation", err)
}

// Rename names objects.
func (s *Session) Rename(ctx context.Context, names []model.Naming) error {
	lines := make([]string, len(names))
	for i, n := range names {
		lines[i] = fmt.Sprintf("update %s:%d %s", n.Object.Type, n.Object.ID, quote("name="+oneLine(n.Name)))
	}
	_, err := s.obj(ctx, "naming images", lines)
	return err
}

// Find finds the user's container of a name, the oldest of several, or makes it.
func (s *Session) Find(ctx context.Context, c importer.Container) (int64, error) {
	var project int64
	var err error
	if c.Project != "" {
		if project, err = s.findOrMake(ctx, "Project", c.Project); err != nil {
			return 0, err
		}
		rows, err := s.query(ctx, "looking for the dataset", fmt.Sprintf(
			"select l.child.id from ProjectDatasetLink l where l.parent.id=%d and l.child.name=%s", project, literal(c.Name)), 1)
		if id, ok := lowest(rows); err != nil || ok {
			return id, err
		}
		ids, err := s.obj(ctx, "making the dataset", []string{
			"d = new Dataset " + quote("name="+c.Name), fmt.Sprintf("new ProjectDatasetLink parent=Project:%d child@=d", project),
		})
		if err != nil {
			return 0, err
		}
		return ids[0], nil
	}
	return s.findOrMake(ctx, string(c.Type), c.Name)
}

func (s *Session) findOrMake(ctx context.Context, class, name string) (int64, error) {
	rows, err := s.query(ctx, "looking for the "+class, fmt.Sprintf(
		"select d.id from %s d where d.name=%s and d.details.owner.omeName=%s", class, literal(name), literal(s.user)), 1)
	if id, ok := lowest(rows); err != nil || ok {
		return id, err
	}
	ids, err := s.obj(ctx, "making the "+class, []string{"new " + class + " " + quote("name="+name)})
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

func lowest(rows [][]string) (id int64, ok bool) {
	for _, row := range rows {
		if ids, err := idRow(row, 1); err == nil && (!ok || ids[0] < id) {
			id, ok = ids[0], true
		}
	}
	return id, ok
}

// Delete deletes filesets with their images and plates.
func (s *Session) Delete(ctx context.Context, filesets []int64) error {
	args := append([]string{"-q", "delete"}, s.cli.server()...)
	args = append(args, "-k", s.key, "Fileset:"+idList(filesets))
	_, _, err := s.cli.run(ctx, call{dir: s.dir, args: args})
	return classed("deleting filesets", err)
}
