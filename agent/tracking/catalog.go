package tracking

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

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

// Of imports, a number each from 1, and their sources with the same number.
const givenFilesets = `given AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) WITH ORDINALITY AS g (uuid, prefix, type, container, n)
), source AS (
    SELECT * FROM unnest($5::int[], $6::bytea[], $7::text[], $8::text[]) WITH ORDINALITY AS s (n, key, path, link, place)
)`

const knownFilesets = `
WITH ` + givenFilesets + `
SELECT g.n, f.source, f.id, f.link,
       ARRAY (SELECT i.id FROM importer.repository_images i WHERE i.fileset_id = f.id ORDER BY i.id),
       ARRAY (SELECT p.id FROM importer.repository_plates p WHERE p.fileset_id = f.id ORDER BY p.id)
FROM source s JOIN given g ON g.n = s.n
JOIN importer.repository_filesets f ON f.order_uuid = g.uuid AND f.source_key = s.key
ORDER BY s.place`

const newFilesets = `
WITH ` + givenFilesets + `, prefix AS (
    INSERT INTO importer.repository_prefixes (prefix) SELECT prefix FROM given ORDER BY n RETURNING id, prefix
), made AS (
    INSERT INTO importer.repository_filesets (order_uuid, source_key, source, prefix_id, link, container_type, container_id)
    SELECT g.uuid, s.key, s.path, prefix.id, s.link, g.type, g.container
    FROM source s JOIN given g ON g.n = s.n JOIN prefix ON prefix.prefix = g.prefix
    ORDER BY s.place
    ON CONFLICT (order_uuid, source_key) DO NOTHING
    RETURNING id, order_uuid, source_key, source, link
), plates AS (
    INSERT INTO importer.repository_plates (fileset_id, name)
    SELECT made.id, x.name FROM unnest($9::text[], $10::bytea[], $11::text[]) AS x (uuid, key, name)
    JOIN made ON made.source_key = x.key AND made.order_uuid = x.uuid
    RETURNING id, fileset_id
), images AS (
    INSERT INTO importer.repository_images (fileset_id, name)
    SELECT made.id, x.name FROM unnest($12::text[], $13::bytea[], $14::text[]) WITH ORDINALITY AS x (uuid, key, name, place)
    JOIN made ON made.source_key = x.key AND made.order_uuid = x.uuid
    ORDER BY x.place
    RETURNING id, fileset_id
), plate_ids AS (SELECT fileset_id, array_agg(id ORDER BY id) AS ids FROM plates GROUP BY fileset_id
), image_ids AS (SELECT fileset_id, array_agg(id ORDER BY id) AS ids FROM images GROUP BY fileset_id)
SELECT g.n, made.source, made.id, made.link, coalesce(i.ids, '{}'), coalesce(p.ids, '{}')
FROM made JOIN given g ON g.uuid = made.order_uuid
LEFT JOIN image_ids i ON i.fileset_id = made.id LEFT JOIN plate_ids p ON p.fileset_id = made.id
ORDER BY made.id`

// Record implements repository.Catalog. Imports that are recorded at the same time
// share a transaction. The usual case, all new, is one statement.
func (c Catalog) Record(ctx context.Context, i repository.Import) ([]repository.Fileset, error) {
	made, err := c.store.recording.Do(ctx, i, nil)
	if isViolation(err, "repository_prefixes_prefix_key") {
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
	var uuids, prefixes, types []string
	var containers []int64
	var numbers []int
	var keys, plateKeys, imageKeys [][]byte
	var paths, links, plateOrders, plates, imageOrders, images []string
	wanted, known := 0, map[string]bool{}
	for n := range imports {
		i := &imports[n]
		if known[i.Order] { // two results of one order could not be told apart
			return s.recordApart(ctx, imports, n)
		}
		known[i.Order] = true
		uuids, prefixes, types, containers = append(uuids, i.Order), append(prefixes, i.Prefix), append(types, string(i.Type)), append(containers, i.Container)
		for _, source := range i.Sources {
			key := hash(strings.Join([]string{source.Path, i.User, i.Group, string(i.Type), strconv.FormatInt(i.Container, 10)}, "\x00"))
			numbers, keys, paths, links = append(numbers, n+1), append(keys, key), append(paths, source.Path), append(links, i.Prefix+"/"+source.Link)
			for _, name := range source.Plates {
				plateOrders, plateKeys, plates = append(plateOrders, i.Order), append(plateKeys, key), append(plates, name)
			}
			for _, name := range source.Images {
				imageOrders, imageKeys, images = append(imageOrders, i.Order), append(imageKeys, key), append(images, name)
			}
		}
		wanted += len(i.Sources)
	}
	given := []any{uuids, prefixes, types, containers, numbers, keys, paths, links}
	made, got, err := s.filesets(ctx, len(imports), newFilesets, append(given, plateOrders, plateKeys, plates, imageOrders, imageKeys, images)...)
	if err == nil && got < wanted {
		made, _, err = s.filesets(ctx, len(imports), knownFilesets, given...)
	}
	return made, err
}

// recordApart records those from n on after the others.
func (s *Store) recordApart(ctx context.Context, imports []repository.Import, n int) ([][]repository.Fileset, error) {
	first, err := s.record(ctx, imports[:n])
	if err != nil {
		return nil, err
	}
	rest, err := s.record(ctx, imports[n:])
	return append(first, rest...), err
}

func (s *Store) filesets(ctx context.Context, of int, sql string, args ...any) (made [][]repository.Fileset, count int, err error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, 0, err
	}
	made = make([][]repository.Fileset, of)
	var n int
	var f repository.Fileset
	_, err = pgx.ForEachRow(rows, []any{&n, &f.Source, &f.ID, &f.Link, &f.Images, &f.Plates}, func() error {
		made[n-1] = append(made[n-1], f)
		f.Images, f.Plates = nil, nil
		count++
		return nil
	})
	return made, count, err
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
