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

const knownFilesets = `
SELECT f.source, f.id, f.link,
       ARRAY (SELECT i.id FROM importer.repository_images i WHERE i.fileset_id = f.id ORDER BY i.id),
       ARRAY (SELECT p.id FROM importer.repository_plates p WHERE p.fileset_id = f.id ORDER BY p.id)
FROM unnest($2::bytea[]) WITH ORDINALITY AS n (key, place)
JOIN importer.repository_filesets f ON f.order_uuid = $1 AND f.source_key = n.key
ORDER BY n.place`

const newFilesets = `
WITH prefix AS (
    INSERT INTO importer.repository_prefixes (prefix) VALUES ($2) RETURNING id
), made AS (
    INSERT INTO importer.repository_filesets (order_uuid, source_key, source, prefix_id, link, container_type, container_id)
    SELECT $1, n.key, n.source, prefix.id, n.link, $6, $7
    FROM prefix, unnest($3::bytea[], $4::text[], $5::text[]) WITH ORDINALITY AS n (key, source, link, place)
    ORDER BY n.place
    ON CONFLICT (order_uuid, source_key) DO NOTHING
    RETURNING id, source_key, source, link
), plates AS (
    INSERT INTO importer.repository_plates (fileset_id, name)
    SELECT made.id, n.name FROM made JOIN unnest($8::bytea[], $9::text[]) AS n (key, name) ON n.key = made.source_key
    RETURNING id, fileset_id
), images AS (
    INSERT INTO importer.repository_images (fileset_id, name)
    SELECT made.id, n.name
    FROM made JOIN unnest($10::bytea[], $11::text[]) WITH ORDINALITY AS n (key, name, place) ON n.key = made.source_key
    ORDER BY n.place
    RETURNING id, fileset_id
), plate_ids AS (SELECT fileset_id, array_agg(id ORDER BY id) AS ids FROM plates GROUP BY fileset_id
), image_ids AS (SELECT fileset_id, array_agg(id ORDER BY id) AS ids FROM images GROUP BY fileset_id)
SELECT made.source, made.id, made.link, coalesce(i.ids, '{}'), coalesce(p.ids, '{}')
FROM made LEFT JOIN image_ids i ON i.fileset_id = made.id LEFT JOIN plate_ids p ON p.fileset_id = made.id
ORDER BY made.id`

// Record implements repository.Catalog. The usual case, all new, is one
// statement and so one transaction.
func (c Catalog) Record(ctx context.Context, i repository.Import) ([]repository.Fileset, error) {
	keys := make([][]byte, len(i.Sources))
	var plateKeys, imageKeys [][]byte
	var sources, links, plates, images []string
	for n, s := range i.Sources {
		keys[n] = hash(strings.Join([]string{s.Path, i.User, i.Group, string(i.Type), strconv.FormatInt(i.Container, 10)}, "\x00"))
		sources, links = append(sources, s.Path), append(links, i.Prefix+"/"+s.Link)
		for _, name := range s.Plates {
			plateKeys, plates = append(plateKeys, keys[n]), append(plates, name)
		}
		for _, name := range s.Images {
			imageKeys, images = append(imageKeys, keys[n]), append(images, name)
		}
	}
	made, err := c.filesets(ctx, newFilesets, i.Order, i.Prefix, keys, sources, links, string(i.Type), i.Container,
		plateKeys, plates, imageKeys, images)
	if isViolation(err, "repository_prefixes_prefix_key") {
		return nil, repository.ErrPrefixTaken
	}
	if err == nil && len(made) < len(keys) {
		made, err = c.filesets(ctx, knownFilesets, i.Order, keys)
	}
	if err != nil {
		return nil, fmt.Errorf("recording the filesets of order %s: %w", i.Order, err)
	}
	return made, nil
}

func (c Catalog) filesets(ctx context.Context, sql string, args ...any) ([]repository.Fileset, error) {
	rows, err := c.store.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (f repository.Fileset, err error) {
		return f, row.Scan(&f.Source, &f.ID, &f.Link, &f.Images, &f.Plates)
	})
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
