package tracking

import (
	"strconv"

	"github.com/jackc/pgx/v5"

	"biomero-importer/agent/order"
)

// appendStages writes stages as clients expect them: new rows that repeat their
// orders' fields, later than every row of their uuid. A stage is a uuid, the row
// to repeat (the oldest one where that is gone), its name, a description or NULL
// to keep the client's, and the file names or NULL likewise.
const appendStages = appendStagesOf + `unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[])
    AS n (uuid, import_id, stage, description, names)` + repeatedRow

// appendStagesOf and repeatedRow stand around the relation n of such stages. Of a UNION ALL
// the second part is read once the first has ended.
const (
	appendStagesOf = `
INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, "timestamp",
                            files, file_names, import_options, description, preprocessing_id)
SELECT p.group_name, p.user_name, p.destination_id, p.destination_type, n.stage, p.uuid,
       greatest(clock_timestamp(), (SELECT least(max(h."timestamp"), '9999-01-01') + interval '1 microsecond'
                                    FROM public.imports h WHERE h.uuid = n.uuid)),
       p.files, coalesce(n.names, p.file_names), p.import_options, coalesce(n.description, p.description),
       (SELECT c.id FROM public.imports_preprocessing c WHERE c.id = p.preprocessing_id) -- NULL where that row is gone
FROM `
	repeatedRow = `
CROSS JOIN LATERAL (
    (SELECT * FROM public.imports WHERE id = n.import_id AND uuid = n.uuid LIMIT 1)
    UNION ALL
    (SELECT * FROM public.imports WHERE uuid = n.uuid ORDER BY id + 0 LIMIT 1) -- + 0: not by the index on id
    LIMIT 1) p`
)

// stageRows are stages to be written.
type stageRows struct {
	uuids               []string
	imports             []int64
	stages              []string
	descriptions, names []*string
}

func (r *stageRows) add(uuid string, importID int64, stage order.Stage, description, names *string) {
	r.uuids, r.imports, r.stages = append(r.uuids, uuid), append(r.imports, importID), append(r.stages, string(stage))
	r.descriptions, r.names = append(r.descriptions, description), append(r.names, names)
}

func (r *stageRows) queue(batch *pgx.Batch) {
	batch.Queue(appendStages, r.uuids, r.imports, r.stages, r.descriptions, r.names)
}

// report asks for the receipts of orders that came from files to be written anew,
// and tells whoever writes receipts; $1 is the orders' uuids.
const report = `
WITH due AS (
    INSERT INTO importer.reports (drop_key)
    SELECT key FROM importer.drops WHERE uuid = ANY ($1) AND kind IN ('manifest', 'legacy') RETURNING 1
)
SELECT pg_notify('importer_reports', '') WHERE EXISTS (SELECT FROM due)`

// list is numbers as the text of a PostgreSQL array.
func list(numbers []int64) string {
	b := []byte{'{'}
	for i, n := range numbers {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return string(append(b, '}'))
}
