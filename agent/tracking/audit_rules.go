package tracking

// ours is when the first rows of ours can have been written. What is older is
// another service's, and nobody knows what that kept to.
const ours = `(SELECT min(tstamp) FROM importer.schema_version WHERE version_id = 2)::timestamptz`

// idle is a condition on a uuid: nobody has asked for it since its last attempt, so
// that its rows are as the agents left them.
const idle = `NOT EXISTS (SELECT FROM importer.inbox i WHERE i.uuid = `

// auditStages looks at each row of ours beside those before it, by id: agents write
// one uuid's rows one after the other. A client may have set any row back to pending,
// insert pending ones at any time and date them as it likes, so that a pending row
// between two of ours may have been one of ours.
const auditStages = `
WITH line AS (
    SELECT uuid, stage, at, cancelled, id, ours, attempt, lag(stage) OVER w AS before, coalesce(lag(at) OVER w, 'infinity') >= ours AS before_ours,
           count(*) FILTER (WHERE stage = 'Import Pending') OVER w AS asked,
           count(*) FILTER (WHERE stage = 'Import Started' AND at >= ours) OVER w AS begun,
           max(at) FILTER (WHERE stage <> 'Import Pending' AND at >= ours)
               OVER (PARTITION BY uuid ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS latest
    FROM (SELECT uuid, stage, id, "timestamp" AS at, description = '` + cancelled + `' AS cancelled, ` + ours + ` AS ours,
                 (SELECT o.attempt FROM importer.orders o WHERE o.uuid = i.uuid) AS attempt FROM public.imports i) p
    WINDOW w AS (PARTITION BY uuid ORDER BY id)
), judged AS (
    SELECT *, CASE
        WHEN stage NOT IN ('Import Pending', 'Import Started', 'Import Preprocessing', 'Import Completed', 'Import Failed') THEN 'stage-unknown'
        WHEN stage = 'Import Pending' THEN NULL
        -- One that is set back to what it is already asks without a row of its own.
        WHEN asked = 0 OR stage = 'Import Started' AND begun > asked AND begun > attempt THEN 'stage-unasked'
        WHEN latest >= at AND at < '9999-01-01' THEN 'stage-time'
        WHEN NOT before_ours OR stage = 'Import Failed' AND cancelled THEN NULL
        WHEN stage = before THEN 'stage-repeated'
        WHEN stage = 'Import Started' AND before = 'Import Preprocessing'
          OR stage = 'Import Preprocessing' AND before IN ('Import Completed', 'Import Failed')
          OR stage IN ('Import Completed', 'Import Failed') AND before IN ('Import Completed', 'Import Failed')
          OR stage IN ('Import Completed', 'Import Failed') AND before = 'Import Pending' AND asked = 1 THEN 'stage-order'
    END AS rule
    FROM line WHERE coalesce(at, 'infinity') >= ours
)
SELECT rule, uuid, CASE rule
    WHEN 'stage-unknown' THEN format('row %s has the stage %L, which no client knows', id, stage)
    WHEN 'stage-unasked' THEN format('row %s is %s, and no pending row before it has asked for that', id, stage)
    WHEN 'stage-time' THEN format('row %s, %s, is dated %s, not after the row before it, %s', id, stage, at, latest)
    ELSE format('row %s is %s, right after %s', id, stage, before) END
FROM judged WHERE rule IS NOT NULL`

// auditNewest compares the row that clients take for an order's state with what it
// is. Where rows without a date stand first, dashboards see them first.
const auditNewest = `
WITH newest AS (
    SELECT DISTINCT ON (uuid) uuid, stage, "timestamp" AS at FROM public.imports
    WHERE coalesce("timestamp", '-infinity') < '9999-01-01' ORDER BY uuid DESC, "timestamp" DESC NULLS FIRST, id DESC
), judged AS (
    SELECT n.uuid, n.stage, o.state, CASE
        WHEN n.stage = 'Import Pending' AND (o.state IN ('completed', 'failed') OR o.uuid IS NULL AND (n.at >= ` + ours + ` OR
             (SELECT p.stage FROM public.imports p WHERE p.uuid = n.uuid ORDER BY p.id DESC LIMIT 1) = 'Import Pending'))
          OR n.stage IN ('Import Started', 'Import Preprocessing') AND o.uuid IS NULL AND n.at >= ` + ours + ` THEN 'order-lost'
        WHEN o.state = 'completed' AND n.stage <> 'Import Completed' OR o.state = 'failed' AND n.stage <> 'Import Failed'
          OR o.state IN ('queued', 'running') AND o.started_at IS NOT NULL AND NOT o.cancelled AND n.at IS NOT NULL
             AND n.stage NOT IN ('Import Started', 'Import Preprocessing') THEN 'order-stage'
    END AS rule
    FROM newest n LEFT JOIN importer.orders o ON o.uuid = n.uuid
    WHERE ` + idle + `n.uuid)
)
SELECT rule, uuid, CASE
    WHEN rule = 'order-stage' THEN format('the order is %s, its newest row %s', state, stage)
    WHEN state IS NULL THEN format('its newest row is %s, and no agent knows of it', stage)
    ELSE format('its newest row is %s, and no agent will take it up: the order is %s', stage, state) END
FROM judged WHERE rule IS NOT NULL`

const auditOrders = `
SELECT 'order-state', uuid, CASE
    WHEN state = 'failed' AND reason = '' THEN 'it failed without a reason'
    WHEN state IN ('completed', 'failed') THEN format('it is %s, and nobody knows since when', state)
    WHEN state = 'queued' THEN 'it is to be taken up again, and nobody knows when'
    ELSE 'it is running at no agent' END
FROM importer.orders
WHERE attempt > 0 AND (state = 'failed' AND reason = '' OR state IN ('completed', 'failed') AND ended_at IS NULL
   OR state = 'queued' AND due_at IS NULL OR state = 'running' AND agent = '')`

// What is put aside until an attempt ends has to have such an attempt. Of what waits
// for an hour and has no row, either no agent has had a look or it is paused. What
// waits for a day finds no agent, or too many others before it.
const auditInbox = `
SELECT 'inbox-parked', i.uuid, format('what waits as %s since %s waits for an attempt to end, and there is none', i.id, i.placed_at)
FROM importer.inbox i
WHERE i.parked AND NOT i.held AND NOT EXISTS (SELECT FROM importer.orders o WHERE o.uuid = i.uuid AND o.state IN ('queued', 'running'))
UNION ALL
SELECT 'inbox-gone', i.uuid, format('its row %s waits since %s, and has been deleted', i.import_id, i.placed_at)
FROM importer.inbox i
WHERE i.placed_at < statement_timestamp() - interval '1 hour' AND NOT EXISTS (SELECT FROM public.imports p WHERE p.uuid = i.uuid)
UNION ALL
SELECT 'inbox-late', s.uuid, format('its row %s waits since %s, and nothing keeps it back', s.import_id, s.placed_at)
FROM importer.inbox s
WHERE s.placed_at < statement_timestamp() - interval '1 day' AND EXISTS (SELECT FROM public.imports p WHERE p.uuid = s.uuid) AND ` + isOpen + `
  AND (NOT s.parked OR s.held AND s.destination NOT IN (SELECT o.destination FROM importer.orders o WHERE o.state = 'running'))`

// Locks are as they are now, so that an order which ended meanwhile may show here.
const auditAgents = `
SELECT 'agent-gone', uuid, format('its agent %s holds no lock: another takes the order up in a few seconds, if there is one', agent)
FROM importer.orders WHERE state = 'running' AND ` + lockFree

const auditFiles = `
SELECT 'file-state', order_uuid, CASE state
    WHEN 'imported' THEN format('file %s, %s, is imported as no image and no plate', ordinal, path)
    WHEN 'failed' THEN format('file %s, %s, failed without a reason', ordinal, path)
    ELSE format('file %s, %s, is recorded as pending', ordinal, path) END
FROM importer.files
WHERE state = 'imported' AND cardinality(images) + cardinality(plates) = 0 OR state = 'failed' AND reason = '' OR state = 'pending'
UNION ALL
SELECT 'file-order', f.order_uuid, format('file %s, %s, is of an order that there is not', f.ordinal, f.path)
FROM importer.files f WHERE NOT EXISTS (SELECT FROM importer.orders o WHERE o.uuid = f.order_uuid)`

// A drop and its order are recorded together. Rows that somebody deleted later are
// missed only while nothing else knows of the order.
const auditDrops = `
SELECT 'drop-order', d.uuid, format('%s was taken as part of it, and no row knows of it', d.path)
FROM importer.drops d
WHERE d.state = 'taken' AND d.uuid <> '' AND NOT EXISTS (SELECT FROM public.imports p WHERE p.uuid = d.uuid)
  AND NOT EXISTS (SELECT FROM importer.orders o WHERE o.uuid = d.uuid)
UNION ALL
SELECT 'report-late', d.uuid, format('what became of %s should have been written beside it at %s', d.path, r.due_at)
FROM importer.reports r JOIN importer.drops d ON d.key = r.drop_key
WHERE r.due_at < statement_timestamp() - interval '1 hour'`

var auditQueries = []auditQuery{
	{"the stages", auditStages, nil},
	{"the newest stages", auditNewest, nil},
	{"the orders", auditOrders, nil},
	{"what waits", auditInbox, nil},
	{"the agents", auditAgents, []any{agentLocks}},
	{"the files", auditFiles, nil},
	{"the drops", auditDrops, nil},
}
