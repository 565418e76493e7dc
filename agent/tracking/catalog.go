package tracking

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"biomero-importer/agent/failpoint"
	"biomero-importer/importer"
	"biomero-importer/importer/repository"
)

// Catalog keeps the repository backend's records in this database.
type Catalog struct{ store *Store }

// Catalog returns the repository backend's records.
func (s *Store) Catalog() Catalog { return Catalog{store: s} }

var _ repository.Catalog = Catalog{}

// User implements repository.Catalog.
func (c Catalog) User(ctx context.Context, name string) (int64, error) {
	id, err := c.findOrMake(ctx,
		`SELECT id FROM importer.repository_users WHERE name = $1`,
		`INSERT INTO importer.repository_users (name) VALUES ($1) ON CONFLICT DO NOTHING`, name)
	if err != nil {
		return 0, fmt.Errorf("finding the repository's user %q: %w", name, err)
	}
	return id, nil
}

// Container implements repository.Catalog.
func (c Catalog) Container(ctx context.Context, n importer.Container) (int64, error) {
	id, err := c.findOrMake(ctx,
		`SELECT id FROM importer.repository_containers
		 WHERE type = $1 AND group_name = $2 AND user_name = $3 AND project = $4 AND name = $5`,
		`INSERT INTO importer.repository_containers (type, group_name, user_name, project, name)
		 VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, string(n.Type), n.Group, n.User, n.Project, n.Name)
	if err != nil {
		return 0, fmt.Errorf("finding the repository's %s %q: %w", n.Type, n.Name, err)
	}
	return id, nil
}

// findOrMake looks before it inserts: a conflicting INSERT uses up a number of
// the sequence. After one, what conflicted is committed and found.
func (c Catalog) findOrMake(ctx context.Context, find, makeIt string, args ...any) (id int64, err error) {
	err = c.store.pool.QueryRow(ctx, find, args...).Scan(&id)
	if !errors.Is(err, pgx.ErrNoRows) {
		return id, err
	}
	if _, err := c.store.pool.Exec(ctx, makeIt, args...); err != nil {
		return 0, err
	}
	return id, c.store.pool.QueryRow(ctx, find, args...).Scan(&id)
}

// Links implements repository.Catalog.
func (c Catalog) Links(ctx context.Context, order string) (links []string, err error) {
	rows, err := c.store.pool.Query(ctx, `SELECT link FROM importer.repository_filesets WHERE order_uuid = $1`, order)
	if err == nil {
		links, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the filesets of order %s: %w", order, err)
	}
	return links, nil
}

const knownFilesets = `
SELECT f.source, f.id, f.link,
       ARRAY (SELECT i.id FROM importer.repository_images i WHERE i.fileset_id = f.id ORDER BY i.id),
       ARRAY (SELECT p.id FROM importer.repository_plates p WHERE p.fileset_id = f.id ORDER BY p.id)
FROM unnest($2::bytea[]) AS n (key)
CROSS JOIN LATERAL (SELECT * FROM importer.repository_filesets f WHERE f.order_uuid = $1 AND f.source_key = n.key LIMIT 1) f`

// Record implements repository.Catalog. Imports that are recorded at the same time
// share a transaction.
func (c Catalog) Record(ctx context.Context, i repository.Import) ([]repository.Fileset, error) {
	made, err := c.store.recording.Do(ctx, i)
	if err == nil && made == nil {
		return nil, repository.ErrPrefixTaken
	}
	if err != nil {
		return nil, fmt.Errorf("recording the filesets of order %s: %w", i.Order, err)
	}
	return made, nil
}

// maxRecorded bounds the imports of one transaction.
const maxRecorded = 64

// record records imports, of several orders or of one.
func (s *Store) record(ctx context.Context, imports []repository.Import) ([][]repository.Fileset, error) {
	made, err := s.recordNew(ctx, imports)
	if len(imports) == 1 && isViolation(err, "repository_filesets_order_uuid_source_key_key") {
		filesets, err := s.recordMore(ctx, &imports[0])
		return [][]repository.Fileset{filesets}, err
	}
	return made, err
}

// recordMore records what of an import its order had not recorded before. The result
// is nil where recordNew's is.
func (s *Store) recordMore(ctx context.Context, i *repository.Import) ([]repository.Fileset, error) {
	keys := make([][]byte, len(i.Sources))
	for n, source := range i.Sources {
		keys[n] = sourceKey(i, source.Path)
	}
	rows, err := s.pool.Query(ctx, knownFilesets, i.Order, keys)
	if err != nil {
		return nil, err
	}
	known, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f repository.Fileset, err error) {
		return f, row.Scan(&f.Source, &f.ID, &f.Link, &f.Images, &f.Plates)
	})
	if err != nil {
		return nil, err
	}
	bySource := make(map[string]repository.Fileset, len(i.Sources))
	for _, f := range known {
		bySource[f.Source] = f
	}
	more := *i
	more.Sources = nil
	for _, source := range i.Sources {
		if _, ok := bySource[source.Path]; !ok {
			more.Sources = append(more.Sources, source)
		}
	}
	if len(more.Sources) > 0 {
		made, err := s.recordNew(ctx, []repository.Import{more})
		if err != nil || made[0] == nil {
			return nil, err
		}
		for _, f := range made[0] {
			bySource[f.Source] = f
		}
	}
	filesets := make([]repository.Fileset, len(i.Sources))
	for n, source := range i.Sources {
		filesets[n] = bySource[source.Path]
	}
	return filesets, nil
}

// recordNew records imports of which nothing is recorded yet: a prefix for each,
// and a fileset for each of their sources. What it returns of one whose prefix is
// another's, or whose user has another id, is nil.
func (s *Store) recordNew(ctx context.Context, imports []repository.Import) ([][]repository.Fileset, error) {
	var count int
	for _, i := range imports {
		count += len(i.Sources)
		for _, source := range i.Sources {
			count += len(source.Images) + len(source.Plates)
		}
	}
	made := make([][]repository.Fileset, len(imports))
	err := s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		numbers, err := numbersOf(ctx, conn.Conn(), count)
		if err != nil {
			return err
		}
		r := record{images: members{ids: []int64{}}, plates: members{ids: []int64{}}}
		for n := range imports {
			i := &imports[n]
			if slices.Contains(r.prefixes, i.Prefix) {
				continue // another of these has it
			}
			r.prefixes, r.users, r.userIDs = append(r.prefixes, i.Prefix), append(r.users, i.User), append(r.userIDs, i.UserID)
			for _, source := range i.Sources {
				made[n] = append(made[n], r.add(numbers, i, source))
			}
		}
		failpoint.Hit(failpoint.Recording)
		rows, err := conn.Query(ctx, insertImports, r.prefixes, r.users, r.userIDs,
			r.ids, r.uuids, r.rounds, r.keys, r.sources, r.links, r.types, r.containers, r.of,
			r.images.ids, r.images.filesets, r.images.names, r.plates.ids, r.plates.filesets, r.plates.names)
		if err != nil {
			return err
		}
		free, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		failpoint.Hit(failpoint.Recorded)
		for n := range imports {
			if !slices.Contains(free, imports[n].Prefix) {
				made[n] = nil
			}
		}
		return nil
	})
	return made, err
}

// insertImports records imports, each under a prefix that nobody else has and for a
// user who has that id, or not at all, and returns the prefixes of those that it
// recorded. (x IN …) IS TRUE is looked up in a hash table.
const insertImports = `
WITH p AS (
    INSERT INTO importer.repository_prefixes (prefix)
    SELECT n.prefix FROM unnest($1::text[], $2::text[], $3::bigint[]) AS n (prefix, user_name, user_id)
    WHERE (SELECT u.id FROM importer.repository_users u WHERE u.name = n.user_name) = n.user_id
    ORDER BY n.prefix ON CONFLICT DO NOTHING RETURNING prefix
), f AS (
    INSERT INTO importer.repository_filesets (id, order_uuid, round, source_key, source, link, container_type, container_id)
    SELECT id, uuid, round, key, source, link, type, container
    FROM unnest($4::bigint[], $5::text[], $6::bigint[], $7::bytea[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::text[])
        AS n (id, uuid, round, key, source, link, type, container, prefix)
    WHERE (prefix IN (SELECT prefix FROM p)) IS TRUE RETURNING id
), i AS (
    INSERT INTO importer.repository_images (id, fileset_id, name)
    SELECT * FROM unnest($13::bigint[], $14::bigint[], $15::text[]) AS n (id, fileset, name) WHERE (fileset IN (SELECT id FROM f)) IS TRUE
), l AS (
    INSERT INTO importer.repository_plates (id, fileset_id, name)
    SELECT * FROM unnest($16::bigint[], $17::bigint[], $18::text[]) AS n (id, fileset, name) WHERE (fileset IN (SELECT id FROM f)) IS TRUE
)
SELECT prefix FROM p`

// record is rows to be inserted.
type record struct {
	prefixes       []string
	users          []string // of each prefix
	userIDs        []int64
	ids            []int64
	of             []string // the prefix of each fileset
	uuids          []string
	rounds         []int64
	keys           [][]byte
	sources, links []string
	types          []string
	containers     []int64
	images, plates members
}

func (r *record) add(numbers *numbers, i *repository.Import, source repository.Source) repository.Fileset {
	f := repository.Fileset{Source: source.Path, ID: numbers.next(), Link: i.Prefix + "/" + source.Link}
	f.Images, f.Plates = r.images.add(numbers, f.ID, source.Images), r.plates.add(numbers, f.ID, source.Plates)
	r.of = append(r.of, i.Prefix)
	r.ids, r.uuids, r.keys = append(r.ids, f.ID), append(r.uuids, i.Order), append(r.keys, sourceKey(i, source.Path))
	r.rounds, r.sources, r.links = append(r.rounds, i.Round), append(r.sources, f.Source), append(r.links, f.Link)
	r.types, r.containers = append(r.types, string(i.Type)), append(r.containers, i.Container)
	return f
}

// members are images or plates of filesets.
type members struct {
	ids, filesets []int64
	names         []string
}

// add notes a fileset's members and returns their ids.
func (m *members) add(numbers *numbers, fileset int64, names []string) []int64 {
	from := len(m.ids)
	for _, name := range names {
		m.ids, m.filesets, m.names = append(m.ids, numbers.next()), append(m.filesets, fileset), append(m.names, name)
	}
	return m.ids[from:len(m.ids):len(m.ids)]
}

// sourceKey tells sources of an order apart: what is imported, for whom, where to and
// in which round.
func sourceKey(i *repository.Import, path string) []byte {
	parts := []string{path, i.User, i.Group, string(i.Type), strconv.FormatInt(i.Container, 10)}
	if i.Round != 0 {
		parts = append(parts, strconv.FormatInt(i.Round, 10))
	}
	return hash(strings.Join(parts, "\x00"))
}

// hash is an index key for a path of any length and content.
func hash(path string) []byte {
	sum := sha256.Sum256([]byte(path))
	return sum[:]
}

func isViolation(err error, constraint string) bool {
	fault, ok := errors.AsType[*pgconn.PgError](err)
	return ok && fault.Code == uniqueViolation && fault.ConstraintName == constraint
}

// uniqueViolation is PostgreSQL's SQLSTATE for a duplicate key.
const uniqueViolation = "23505"
