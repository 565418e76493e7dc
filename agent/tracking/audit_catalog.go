package tracking

// auditListed compares what a file is recorded to have become with what the catalog
// holds of its filesets: both ways, and of filesets, images and plates alike.
const auditListed = `
WITH listed AS (
    SELECT order_uuid, ordinal, 's' AS kind, unnest(filesets) AS id FROM importer.files WHERE state = 'imported'
    UNION ALL
    SELECT order_uuid, ordinal, 'i', unnest(images) FROM importer.files WHERE state = 'imported'
    UNION ALL
    SELECT order_uuid, ordinal, 'p', unnest(plates) FROM importer.files WHERE state = 'imported'
), held AS MATERIALIZED (
    SELECT f.order_uuid, f.ordinal, s.id
    FROM (SELECT order_uuid, ordinal, unnest(filesets) AS id FROM importer.files WHERE state = 'imported') f
    JOIN importer.repository_filesets s ON s.id = f.id AND s.order_uuid = f.order_uuid
), made AS (
    SELECT order_uuid, ordinal, 's' AS kind, id FROM held
    UNION ALL
    SELECT h.order_uuid, h.ordinal, 'i', i.id FROM held h JOIN importer.repository_images i ON i.fileset_id = h.id
    UNION ALL
    SELECT h.order_uuid, h.ordinal, 'p', p.id FROM held h JOIN importer.repository_plates p ON p.fileset_id = h.id
)
SELECT 'file-catalog', order_uuid,
       format('file %s lists %s ids that the catalog does not hold for it, and does not list %s that it holds', ordinal,
              count(*) FILTER (WHERE m.id IS NULL), count(*) FILTER (WHERE l.id IS NULL))
FROM listed l FULL JOIN made m USING (order_uuid, ordinal, kind, id)
WHERE l.id IS NULL OR m.id IS NULL
GROUP BY order_uuid, ordinal
UNION ALL
SELECT 'file-catalog', order_uuid, format('file %s, %s, is imported without a fileset', ordinal, path)
FROM importer.files WHERE state = 'imported' AND filesets = '{}'`

// auditTwice finds what an order imported twice for the same user and container. An
// attempt may be asked for in the name of another group, which is another import.
// Nobody knows of it where the rows' group was corrected by hand since, so that only
// orders of one attempt are surely at fault.
const auditTwice = `
SELECT CASE WHEN (SELECT o.attempt FROM importer.orders o WHERE o.uuid = order_uuid) = 1 THEN 'catalog-twice' ELSE 'catalog-again' END,
       order_uuid, format('%s was imported %s times into the %s %s', source, times, container_type, container_id)
FROM (SELECT order_uuid, source, container_type, container_id, count(*) AS times FROM importer.repository_filesets
      GROUP BY order_uuid, round, source, container_type, container_id, split_part(link, '/', 1) HAVING count(*) > 1) twice
WHERE (SELECT count(DISTINCT p.group_name) FROM public.imports p WHERE p.uuid = twice.order_uuid) <= 1`

// auditOrphans finds what was imported for a completed order that none of its files
// is. Earlier attempts, which can have been at other files or for other users, leave
// such filesets behind: only orders that were asked for once are judged. Where an
// attempt was begun anew, its folders may have changed since: that is worth a look.
const auditOrphans = `
WITH orphans AS MATERIALIZED (
    SELECT s.id, s.order_uuid, s.source, o.run
    FROM importer.repository_filesets s JOIN importer.orders o ON o.uuid = s.order_uuid AND o.state = 'completed' AND o.attempt = 1
    LEFT JOIN (SELECT order_uuid, unnest(filesets) AS id FROM importer.files WHERE state = 'imported') f
        ON f.order_uuid = s.order_uuid AND f.id = s.id
    WHERE f.id IS NULL
)
SELECT CASE WHEN s.run > 1 THEN 'catalog-left' ELSE 'catalog-orphan' END, s.order_uuid, format('fileset %s of %s was made for it, and is none of its files', s.id, s.source)
FROM orphans s
WHERE ` + idle + `s.order_uuid)
  AND (SELECT count(*) FROM public.imports p WHERE p.uuid = s.order_uuid AND p.stage = 'Import Pending') <= 1`

const auditCatalog = `
SELECT 'catalog-parts', '', format('image %s is of the fileset %s, which there is not', i.id, i.fileset_id)
FROM importer.repository_images i WHERE NOT EXISTS (SELECT FROM importer.repository_filesets s WHERE s.id = i.fileset_id)
UNION ALL
SELECT 'catalog-parts', '', format('plate %s is of the fileset %s, which there is not', p.id, p.fileset_id)
FROM importer.repository_plates p WHERE NOT EXISTS (SELECT FROM importer.repository_filesets s WHERE s.id = p.fileset_id)
UNION ALL
SELECT 'catalog-parts', s.order_uuid, format('fileset %s holds neither an image nor a plate', s.id)
FROM importer.repository_filesets s
WHERE NOT EXISTS (SELECT FROM importer.repository_images i WHERE i.fileset_id = s.id)
  AND NOT EXISTS (SELECT FROM importer.repository_plates p WHERE p.fileset_id = s.id)
UNION ALL
SELECT 'catalog-parts', s.order_uuid, format('the link %s of fileset %s is below no prefix that was taken', s.link, s.id)
FROM importer.repository_filesets s LEFT JOIN importer.repository_prefixes x
    ON x.prefix = array_to_string((string_to_array(s.link, '/'))[1:4], '/') -- user, month, day and time
WHERE x.prefix IS NULL`

var catalogQueries = []auditQuery{
	{"the files' ids", auditListed, nil},
	{"what was imported twice", auditTwice, nil},
	{"what no order refers to", auditOrphans, nil},
	{"the catalog", auditCatalog, nil},
}
