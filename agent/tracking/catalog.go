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
SELECT n.import, f.source, f.id, f.link,
       ARRAY (SELECT i.id FROM importer.repository_images i WHERE i.fileset_id = f.id ORDER BY i.id),
       ARRAY (SELECT p.id FROM importer.repository_plates p WHERE p.fileset_id = f.id ORDER BY p.id)
FROM unnest($1::int[], $2::text[], $3::bytea[]) WITH ORDINALITY AS n (import, uuid, key, place)
CROSS JOIN LATERAL (SELECT * FROM importer.repository_filesets f WHERE f.order_uuid = n.uuid AND f.source_key = n.key LIMIT 1) f
ORDER BY n.place`

// newNumbers takes numbers ahead, so that rows can refer to each other without being read back.
const newNumbers = `
SELECT ARRAY (SELECT nextval('importer.repository_prefixes_id_seq') FROM generate_series(1, $1)),
       ARRAY (SELECT nextval('importer.repository_filesets_id_seq') FROM generate_series(1, $2)),
       ARRAY (SELECT nextval('importer.repository_images_id_seq') FROM generate_series(1, $3)),
       ARRAY (SELECT nextval('importer.repository_plates_id_seq') FROM generate_series(1, $4))`

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
	made := make([][]repository.Fileset, len(imports))
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		r, err := newRecord(ctx, tx, imports)
		if err != nil {
			return err
		}
		fresh, err := r.insertFilesets(ctx, tx)
		if err != nil {
			return err
		}
		batch := &pgx.Batch{}
		r.images.queue(batch, "images", fresh)
		r.plates.queue(batch, "plates", fresh)
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		if len(fresh) == len(r.ids) {
			for n, f := range r.made {
				made[r.of[n]] = append(made[r.of[n]], f)
			}
			return nil
		}
		rows, err := tx.Query(ctx, knownFilesets, r.of, r.uuids, r.keys)
		if err != nil {
			return err
		}
		var n int
		var f repository.Fileset
		_, err = pgx.ForEachRow(rows, []any{&n, &f.Source, &f.ID, &f.Link, &f.Images, &f.Plates}, func() error {
			made[n] = append(made[n], f)
			f.Images, f.Plates = nil, nil
			return nil
		})
		return err
	})
	return made, err
}

// record is the rows of some imports: a prefix for each of these, and a fileset
// for each of their sources.
type record struct {
	prefixes       []string
	prefixIDs      []int64
	of             []int // the import of each fileset
	ids, parents   []int64
	uuids          []string
	keys           [][]byte
	sources, links []string
	types          []string
	containers     []int64
	images, plates members
	made           []repository.Fileset
}

// members are images or plates of filesets.
type members struct {
	ids, filesets []int64
	names         []string
}

func newRecord(ctx context.Context, q querier, imports []repository.Import) (*record, error) {
	var sources, images, plates int
	for n := range imports {
		for i := range imports[n].Sources {
			sources++
			images += len(imports[n].Sources[i].Images)
			plates += len(imports[n].Sources[i].Plates)
		}
	}
	r := &record{}
	if err := q.QueryRow(ctx, newNumbers, len(imports), sources, images, plates).Scan(&r.prefixIDs, &r.ids, &r.images.ids, &r.plates.ids); err != nil {
		return nil, err
	}
	for n := range imports {
		i := &imports[n]
		r.prefixes = append(r.prefixes, i.Prefix)
		for _, s := range i.Sources {
			id := r.ids[len(r.of)]
			r.of, r.parents, r.uuids = append(r.of, n), append(r.parents, r.prefixIDs[n]), append(r.uuids, i.Order)
			r.keys = append(r.keys, hash(strings.Join([]string{s.Path, i.User, i.Group, string(i.Type), strconv.FormatInt(i.Container, 10)}, "\x00")))
			link := i.Prefix + "/" + s.Link
			r.sources, r.links = append(r.sources, s.Path), append(r.links, link)
			r.types, r.containers = append(r.types, string(i.Type)), append(r.containers, i.Container)
			r.made = append(r.made, repository.Fileset{
				Source: s.Path, ID: id, Link: link, Images: r.images.add(id, s.Images), Plates: r.plates.add(id, s.Plates),
			})
		}
	}
	return r, nil
}

// add notes a fileset's members and returns their ids.
func (m *members) add(fileset int64, names []string) []int64 {
	from := len(m.names)
	for _, name := range names {
		m.filesets, m.names = append(m.filesets, fileset), append(m.names, name)
	}
	return m.ids[from:len(m.names):len(m.names)]
}

// insertFilesets returns the ids of those that the order had not recorded before.
func (r *record) insertFilesets(ctx context.Context, tx pgx.Tx) (fresh map[int64]bool, err error) {
	fresh = make(map[int64]bool, len(r.ids))
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO importer.repository_prefixes (id, prefix) SELECT * FROM unnest($1::bigint[], $2::text[])`, r.prefixIDs, r.prefixes)
	batch.Queue(`INSERT INTO importer.repository_filesets (id, order_uuid, source_key, source, prefix_id, link, container_type, container_id)
		SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::bigint[])
		ON CONFLICT (order_uuid, source_key) DO NOTHING RETURNING id`,
		r.ids, r.uuids, r.keys, r.sources, r.parents, r.links, r.types, r.containers).Query(func(rows pgx.Rows) error {
		var id int64
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
			fresh[id] = true
			return nil
		})
		return err
	})
	return fresh, tx.SendBatch(ctx, batch).Close()
}

func (m *members) queue(batch *pgx.Batch, what string, fresh map[int64]bool) {
	var ids, filesets []int64
	var names []string
	for i, fileset := range m.filesets {
		if fresh[fileset] {
			ids, filesets, names = append(ids, m.ids[i]), append(filesets, fileset), append(names, m.names[i])
		}
	}
	if len(ids) > 0 {
		batch.Queue(`INSERT INTO importer.repository_`+what+` (id, fileset_id, name) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[])`,
			ids, filesets, names)
	}
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
