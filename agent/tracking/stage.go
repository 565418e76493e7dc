package tracking

// appendStage writes a stage as clients expect it: a new row that repeats the
// order's fields, later than every row of its uuid. $1 is the row to repeat
// (the oldest one where that is gone), $2 the stage, $3 the description or
// NULL to keep the client's, $4 the file names or NULL likewise, $5 the uuid.
const appendStage = `
INSERT INTO public.imports (group_name, user_name, destination_id, destination_type, stage, uuid, "timestamp",
                            files, file_names, import_options, description, preprocessing_id)
SELECT p.group_name, p.user_name, p.destination_id, p.destination_type, $2, p.uuid,
       greatest(clock_timestamp(), (SELECT least(max(h."timestamp"), '9999-01-01') + interval '1 microsecond'
                                    FROM public.imports h WHERE h.uuid = $5)),
       p.files, coalesce($4, p.file_names), p.import_options, coalesce($3, p.description), p.preprocessing_id
FROM public.imports p
WHERE p.id = coalesce((SELECT id FROM public.imports WHERE id = $1 AND uuid = $5),
                      (SELECT min(id) FROM public.imports WHERE uuid = $5))`

// report asks for the receipt of an order that came from a file to be written
// anew, and tells whoever writes receipts; $1 is the order's uuid.
const report = `
WITH due AS (
    INSERT INTO importer.reports (drop_key)
    SELECT key FROM importer.drops WHERE uuid = $1 AND kind IN ('manifest', 'legacy') RETURNING 1
)
SELECT pg_notify('importer_reports', '') WHERE EXISTS (SELECT FROM due)`
