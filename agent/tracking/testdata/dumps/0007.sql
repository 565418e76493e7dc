-- Made by scripts/dump of 9ca51b4, Let order submit say how urgent an order is.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA importer;
CREATE FUNCTION importer.announce_pending() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO importer.inbox (import_id, uuid, inserted, rank, group_name, user_name)
    VALUES (NEW.id, NEW.uuid, TG_OP = 'INSERT',
            -coalesce((SELECT priority FROM importer.requests r WHERE r.uuid = NEW.uuid), 0),
            left(NEW.group_name, 100), left(NEW.user_name, 100));
    PERFORM pg_notify('importer_orders', '');
    RETURN NULL;
END
$$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE importer.drops (
    key bytea NOT NULL,
    path text NOT NULL,
    kind text NOT NULL,
    size bigint NOT NULL,
    mtime bigint NOT NULL,
    inode bigint NOT NULL,
    digest bytea DEFAULT '\x'::bytea NOT NULL,
    state text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    holder text DEFAULT ''::text NOT NULL,
    uuid text DEFAULT ''::text NOT NULL,
    version integer NOT NULL,
    first_seen timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    changed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    folder bigint,
    mark bigint,
    fingerprint bigint,
    duplicate_of text DEFAULT ''::text NOT NULL,
    changed boolean DEFAULT false NOT NULL,
    CONSTRAINT drops_kind_check CHECK ((kind = ANY (ARRAY['file'::text, 'folder'::text, 'manifest'::text, 'legacy'::text]))),
    CONSTRAINT drops_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'held'::text, 'taken'::text, 'refused'::text, 'gone'::text])))
);
CREATE TABLE importer.orders (
    uuid text NOT NULL,
    import_id bigint NOT NULL,
    attempt integer NOT NULL,
    state text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    crashes integer DEFAULT 0 NOT NULL,
    queued_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    agent text DEFAULT ''::text NOT NULL,
    run bigint DEFAULT 0 NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone,
    cancelled boolean DEFAULT false NOT NULL,
    CONSTRAINT orders_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'completed'::text, 'failed'::text])))
);
CREATE TABLE public.imports (
    id integer NOT NULL,
    group_name character varying NOT NULL,
    user_name character varying NOT NULL,
    destination_id character varying NOT NULL,
    destination_type character varying NOT NULL,
    stage character varying NOT NULL,
    uuid character varying(36) NOT NULL,
    "timestamp" timestamp with time zone DEFAULT clock_timestamp(),
    files text NOT NULL,
    file_names text,
    import_options text,
    description text,
    preprocessing_id integer
);
CREATE VIEW importer.recent_attempts AS
 SELECT o.uuid,
    o.attempt,
    o.state,
    p.group_name,
    p.user_name,
    p.destination_type,
    p.destination_id,
    o.queued_at,
    o.started_at,
    o.ended_at,
    EXTRACT(epoch FROM (o.started_at - o.queued_at)) AS wait_seconds,
    EXTRACT(epoch FROM (o.ended_at - o.started_at)) AS run_seconds,
    o.tries,
    o.crashes,
    o.reason
   FROM (importer.orders o
     LEFT JOIN public.imports p ON (((p.id = o.import_id) AND ((p.uuid)::text = o.uuid))))
  WHERE (o.queued_at > (now() - '31 days'::interval));
CREATE VIEW importer.failures_by_reason AS
 SELECT regexp_replace(regexp_replace(recent_attempts.reason, '"[^"]*"'::text, '"…"'::text, 'g'::text), '[0-9]+'::text, 'N'::text, 'g'::text) AS reason,
    count(*) AS orders,
    count(DISTINCT recent_attempts.user_name) AS users,
    max(recent_attempts.ended_at) AS last_at,
    (array_agg(recent_attempts.uuid ORDER BY recent_attempts.ended_at DESC))[1] AS last_order
   FROM importer.recent_attempts
  WHERE (recent_attempts.state = 'failed'::text)
  GROUP BY (regexp_replace(regexp_replace(recent_attempts.reason, '"[^"]*"'::text, '"…"'::text, 'g'::text), '[0-9]+'::text, 'N'::text, 'g'::text));
CREATE TABLE importer.files (
    order_uuid text NOT NULL,
    ordinal integer NOT NULL,
    path text NOT NULL,
    state text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    filesets bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    images bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    plates bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    target text DEFAULT ''::text NOT NULL,
    CONSTRAINT files_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'imported'::text, 'failed'::text])))
);
CREATE TABLE importer.inbox (
    id bigint NOT NULL,
    import_id bigint NOT NULL,
    uuid text NOT NULL,
    inserted boolean NOT NULL,
    rank smallint DEFAULT 0 NOT NULL,
    group_name text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    user_name text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    parked boolean DEFAULT false NOT NULL,
    placed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
CREATE SEQUENCE importer.inbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE importer.inbox_id_seq OWNED BY importer.inbox.id;
CREATE TABLE importer.progress (
    uuid text NOT NULL,
    run bigint NOT NULL,
    step text NOT NULL,
    files_done integer NOT NULL,
    files_total integer NOT NULL,
    bytes_done bigint NOT NULL,
    bytes_total bigint NOT NULL,
    began_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE VIEW importer.orders_now AS
 SELECT o.uuid,
    o.state,
    p.group_name,
    p.user_name,
    p.destination_type,
    p.destination_id,
    o.queued_at AS since,
    o.started_at,
    o.due_at AS next_try_at,
    o.tries,
    o.agent,
    o.cancelled,
    g.step,
    g.files_done,
    g.files_total,
    g.bytes_done,
    g.bytes_total,
        CASE
            WHEN (g.bytes_done > 0) THEN (g.updated_at + ((g.updated_at - g.began_at) * (((g.bytes_total - g.bytes_done))::double precision / (g.bytes_done)::double precision)))
            ELSE NULL::timestamp with time zone
        END AS expected_at
   FROM ((importer.orders o
     LEFT JOIN public.imports p ON (((p.id = o.import_id) AND ((p.uuid)::text = o.uuid))))
     LEFT JOIN importer.progress g ON (((g.uuid = o.uuid) AND (g.run = o.run) AND (o.state = 'running'::text))))
  WHERE (o.state = ANY (ARRAY['queued'::text, 'running'::text]))
UNION ALL
 SELECT i.uuid,
        CASE
            WHEN i.parked THEN 'parked'::text
            ELSE 'pending'::text
        END AS state,
    p.group_name,
    p.user_name,
    p.destination_type,
    p.destination_id,
    p."timestamp" AS since,
    NULL::timestamp with time zone AS started_at,
    NULL::timestamp with time zone AS next_try_at,
    0 AS tries,
    ''::text AS agent,
    false AS cancelled,
    NULL::text AS step,
    NULL::integer AS files_done,
    NULL::integer AS files_total,
    NULL::bigint AS bytes_done,
    NULL::bigint AS bytes_total,
    NULL::timestamp with time zone AS expected_at
   FROM (importer.inbox i
     LEFT JOIN public.imports p ON ((p.id = i.import_id)));
CREATE TABLE importer.pauses (
    group_name text NOT NULL COLLATE pg_catalog."C",
    user_name text NOT NULL COLLATE pg_catalog."C",
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
CREATE TABLE importer.reports (
    id bigint NOT NULL,
    drop_key bytea NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE SEQUENCE importer.reports_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE importer.reports_id_seq OWNED BY importer.reports.id;
CREATE TABLE importer.repository_containers (
    id bigint NOT NULL,
    type text NOT NULL,
    group_name text NOT NULL,
    user_name text NOT NULL,
    project text NOT NULL,
    name text NOT NULL,
    CONSTRAINT repository_containers_type_check CHECK ((type = ANY (ARRAY['Dataset'::text, 'Screen'::text])))
);
CREATE SEQUENCE importer.repository_containers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE importer.repository_containers_id_seq OWNED BY importer.repository_containers.id;
CREATE TABLE importer.repository_filesets (
    id bigint NOT NULL,
    order_uuid text NOT NULL,
    source_key bytea NOT NULL,
    source text NOT NULL,
    prefix_id bigint NOT NULL,
    link text NOT NULL,
    container_type text NOT NULL,
    container_id bigint NOT NULL
);
CREATE SEQUENCE importer.repository_filesets_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE importer.repository_filesets_id_seq OWNED BY importer.repository_filesets.id;
CREATE TABLE importer.repository_images (
    id bigint NOT NULL,
    fileset_id bigint NOT NULL,
    name text NOT NULL
);
CREATE SEQUENCE importer.repository_images_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE importer.repository_images_id_seq OWNED BY importer.repository_images.id;
CREATE TABLE importer.repository_plates (
    id bigint NOT NULL,
    fileset_id bigint NOT NULL,
    name text NOT NULL
);
CREATE SEQUENCE importer.repository_plates_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE importer.repository_plates_id_seq OWNED BY importer.repository_plates.id;
CREATE TABLE importer.repository_prefixes (
    id bigint NOT NULL,
    prefix text NOT NULL
);
CREATE SEQUENCE importer.repository_prefixes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE importer.repository_prefixes_id_seq OWNED BY importer.repository_prefixes.id;
CREATE TABLE importer.repository_users (
    id bigint NOT NULL,
    name text NOT NULL
);
CREATE SEQUENCE importer.repository_users_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE importer.repository_users_id_seq OWNED BY importer.repository_users.id;
CREATE TABLE importer.requests (
    uuid text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    metadata_file text DEFAULT ''::text NOT NULL,
    priority smallint DEFAULT 0 NOT NULL,
    CONSTRAINT requests_priority_check CHECK (((priority >= '-100'::integer) AND (priority <= 100)))
);
CREATE TABLE importer.schema_version (
    id integer NOT NULL,
    version_id bigint NOT NULL,
    is_applied boolean NOT NULL,
    tstamp timestamp without time zone DEFAULT now() NOT NULL
);
ALTER TABLE importer.schema_version ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME importer.schema_version_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE VIEW importer.throughput_by_hour AS
 SELECT date_trunc('hour'::text, recent_attempts.ended_at) AS hour,
    count(*) FILTER (WHERE (recent_attempts.state = 'completed'::text)) AS completed,
    count(*) FILTER (WHERE (recent_attempts.state = 'failed'::text)) AS failed,
    round(avg(recent_attempts.wait_seconds), 3) AS mean_wait_seconds,
    round(avg(recent_attempts.run_seconds), 3) AS mean_run_seconds
   FROM importer.recent_attempts
  WHERE (recent_attempts.ended_at IS NOT NULL)
  GROUP BY (date_trunc('hour'::text, recent_attempts.ended_at));
CREATE VIEW importer.times_by_user AS
 SELECT recent_attempts.group_name,
    recent_attempts.user_name,
    count(*) AS orders,
    percentile_cont((0.5)::double precision) WITHIN GROUP (ORDER BY ((recent_attempts.wait_seconds)::double precision)) AS median_wait_seconds,
    percentile_cont((0.95)::double precision) WITHIN GROUP (ORDER BY ((recent_attempts.wait_seconds)::double precision)) AS p95_wait_seconds,
    percentile_cont((0.5)::double precision) WITHIN GROUP (ORDER BY ((recent_attempts.run_seconds)::double precision)) AS median_run_seconds,
    percentile_cont((0.95)::double precision) WITHIN GROUP (ORDER BY ((recent_attempts.run_seconds)::double precision)) AS p95_run_seconds
   FROM importer.recent_attempts
  WHERE (recent_attempts.started_at IS NOT NULL)
  GROUP BY recent_attempts.group_name, recent_attempts.user_name;
CREATE TABLE public.alembic_version_omeroadi (
    version_num character varying(32) NOT NULL
);
CREATE SEQUENCE public.imports_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.imports_id_seq OWNED BY public.imports.id;
CREATE TABLE public.imports_preprocessing (
    id integer NOT NULL,
    container character varying NOT NULL,
    input_file character varying NOT NULL,
    output_folder character varying NOT NULL,
    alt_output_folder character varying,
    extra_params json
);
CREATE SEQUENCE public.imports_preprocessing_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.imports_preprocessing_id_seq OWNED BY public.imports_preprocessing.id;
ALTER TABLE ONLY importer.inbox ALTER COLUMN id SET DEFAULT nextval('importer.inbox_id_seq'::regclass);
ALTER TABLE ONLY importer.reports ALTER COLUMN id SET DEFAULT nextval('importer.reports_id_seq'::regclass);
ALTER TABLE ONLY importer.repository_containers ALTER COLUMN id SET DEFAULT nextval('importer.repository_containers_id_seq'::regclass);
ALTER TABLE ONLY importer.repository_filesets ALTER COLUMN id SET DEFAULT nextval('importer.repository_filesets_id_seq'::regclass);
ALTER TABLE ONLY importer.repository_images ALTER COLUMN id SET DEFAULT nextval('importer.repository_images_id_seq'::regclass);
ALTER TABLE ONLY importer.repository_plates ALTER COLUMN id SET DEFAULT nextval('importer.repository_plates_id_seq'::regclass);
ALTER TABLE ONLY importer.repository_prefixes ALTER COLUMN id SET DEFAULT nextval('importer.repository_prefixes_id_seq'::regclass);
ALTER TABLE ONLY importer.repository_users ALTER COLUMN id SET DEFAULT nextval('importer.repository_users_id_seq'::regclass);
ALTER TABLE ONLY public.imports ALTER COLUMN id SET DEFAULT nextval('public.imports_id_seq'::regclass);
ALTER TABLE ONLY public.imports_preprocessing ALTER COLUMN id SET DEFAULT nextval('public.imports_preprocessing_id_seq'::regclass);
INSERT INTO importer.drops VALUES ('\xe75ff225913a146e2d4bda0e130004b127c52118394198bf5910bfb4d8e6fd37', '/tmp/data/Demo/ada/inbox/Retina/copy.tif', 'file', 43, 1795593815787003154, 10030791, '\x', 'taken', '', '', 'd7156c90-4651-44e5-af2a-a5cf9ed53b92', 1, '2026-11-25 08:03:36.796626+00', '2026-11-25 08:03:36.796626+00', -6731188303219828941, 8863793704374997054, -3686579991938722673, '', false);
INSERT INTO importer.drops VALUES ('\xce678aae99a58e53071d5d7e2d6a768f0b2dad50fec24e8dda22b186cc9aa289', '/tmp/data/Demo/ada/inbox/Retina/dropped.tif', 'file', 43, 1795593815780388070, 10030790, '\x', 'taken', '', '', 'd7156c90-4651-44e5-af2a-a5cf9ed53b92', 1, '2026-11-25 08:03:36.796759+00', '2026-11-25 08:03:36.796759+00', -6731188303219828941, 3733205023471099256, -3686579991938722673, '/tmp/data/Demo/ada/inbox/Retina/copy.tif', false);
INSERT INTO importer.drops VALUES ('\x504f62e4a3120140a21af205a0dceff8d576cf33d359fe3975e5dacdd66aaf76', '/tmp/data/Demo/ada/orders/waiting/order.yml', 'manifest', 136, 1795593815801284120, 10030800, '\x389e2f38b44ca70c99f3c53c09b882c836d190a8d844b521787ccf735f046735', 'waiting', '', '', '', 1, '2026-11-25 08:03:36.809646+00', '2026-11-25 08:03:36.809646+00', -659288521428277162, NULL, NULL, '', false);
INSERT INTO importer.drops VALUES ('\x94a2e8c042c82577bff99e30a8a327d8522969bc3676d246d52d6b17fdafb5db', '/tmp/data/Demo/ada/orders/refused/order.yml', 'manifest', 116, 1795593815795651115, 10030797, '\x15f949fc1e177d777d61b75a7a4890c8eb9656b75267986b07b8253096edac17', 'refused', 'order.yml:5:8: The list of files is empty. Expected paths or patterns, such as ["*.tif", plate1/].', '', '', 1, '2026-11-25 08:03:36.814441+00', '2026-11-25 08:03:36.814441+00', 3251764020102799626, NULL, NULL, '', false);
INSERT INTO importer.drops VALUES ('\xf16994e1a96b2ce065841889665a7dcfd9acd414119afd929b24403d151a5461', '/tmp/data/Demo/ada/orders/due/x.tif', 'file', 35, 1795593815804388071, 0, '\x', 'taken', '', '', '6910e2a2-0376-4b1a-923b-123ebb95bcd9', 1, '2026-11-25 08:03:37.916396+00', '2026-11-25 08:03:37.916396+00', -2083249784854401039, NULL, 4260103383188929684, '', false);
INSERT INTO importer.drops VALUES ('\x53e04f5955063b35432b0805e974aae6027fc0615dfa0cc9b77c61552940eeb7', '/tmp/data/Demo/ada/orders/due/order.yml', 'manifest', 121, 1795593815809464511, 10030805, '\x4b79a45a1f5d9857f72034d1b54ea0d1a42c3806ec34d328da3f00083833e3f2', 'taken', '', '', '6910e2a2-0376-4b1a-923b-123ebb95bcd9', 2, '2026-11-25 08:03:36.821011+00', '2026-11-25 08:03:37.917036+00', -2083249784854401039, NULL, NULL, '', false);
INSERT INTO importer.drops VALUES ('\x7f93aa8f6e7e1c2d4975d7145bc2b951ace9c750e4b345aea238927d93140c9a', '/tmp/data/Demo/ada/orders/done/x.tif', 'file', 36, 1795593815789616626, 0, '\x', 'taken', '', '', '5c03fa6c-3fc6-4a5d-b873-245323ff0523', 1, '2026-11-25 08:03:37.923681+00', '2026-11-25 08:03:37.923681+00', 184292228844914645, NULL, 3339087738452875561, '', false);
INSERT INTO importer.drops VALUES ('\x42960ef364ceafccdae2365e66317122d309d38b87ad41f33c5867afb1b92b3e', '/tmp/data/Demo/ada/orders/done/order.yml', 'manifest', 121, 1795593815792783772, 10030795, '\x4b79a45a1f5d9857f72034d1b54ea0d1a42c3806ec34d328da3f00083833e3f2', 'taken', '', '', '5c03fa6c-3fc6-4a5d-b873-245323ff0523', 2, '2026-11-25 08:03:36.809012+00', '2026-11-25 08:03:37.92402+00', 184292228844914645, NULL, NULL, '', false);
INSERT INTO importer.drops VALUES ('\x23910373105199e3b636898f965de7514474b26e10f3336f70f11619493ac49d', '/tmp/data/Demo/ada/orders/running/x.tif', 'file', 39, 1795593818318441971, 0, '\x', 'taken', '', '', '423b8a36-acc6-4143-af46-7c99204aae34', 1, '2026-11-25 08:03:40.526293+00', '2026-11-25 08:03:40.526293+00', 3552743319272614401, NULL, 5305804907550797537, '', false);
INSERT INTO importer.drops VALUES ('\x68f05915f2aaa3583510373a2846b704f93fa9b67d92cc8def2db49bc078f109', '/tmp/data/Demo/ada/orders/running/order.yml', 'manifest', 121, 1795593818320862919, 10027704, '\x4b79a45a1f5d9857f72034d1b54ea0d1a42c3806ec34d328da3f00083833e3f2', 'taken', '', '', '423b8a36-acc6-4143-af46-7c99204aae34', 2, '2026-11-25 08:03:39.329777+00', '2026-11-25 08:03:40.526887+00', 3552743319272614401, NULL, NULL, '', false);
INSERT INTO importer.files VALUES ('completed', 0, '/tmp/data/a.tif', 'imported', '', '{1}', '{1}', '{}', 'Dataset 151 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('completed', 1, '/tmp/data/b.tif', 'imported', '', '{2}', '{2}', '{}', 'Dataset 151 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('plate', 0, '/tmp/data/plate.ome.zarr', 'imported', '', '{3}', '{3,4}', '{1}', 'Screen 151 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('failed', 1, '/tmp/data/empty.tif', 'failed', 'The file "/tmp/data/empty.tif" is empty.', '{}', '{}', '{}', 'Dataset 151 for "bob" of "Demo"');
INSERT INTO importer.files VALUES ('failed', 2, '/tmp/data/none.tif', 'failed', 'There is no file or folder "/tmp/data/none.tif".', '{}', '{}', '{}', 'Dataset 151 for "bob" of "Demo"');
INSERT INTO importer.files VALUES ('failed', 0, '/tmp/data/a.tif', 'imported', '', '{4}', '{5}', '{}', 'Dataset 151 for "bob" of "Demo"');
INSERT INTO importer.files VALUES ('again', 0, '/tmp/data/a.tif', 'imported', '', '{5}', '{6}', '{}', 'Dataset 151 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('d7156c90-4651-44e5-af2a-a5cf9ed53b92', 0, '/tmp/data/Demo/ada/inbox/Retina/copy.tif', 'imported', '', '{6}', '{7}', '{}', 'Dataset 1 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('d7156c90-4651-44e5-af2a-a5cf9ed53b92', 1, '/tmp/data/Demo/ada/inbox/Retina/dropped.tif', 'imported', '', '{7}', '{8}', '{}', 'Dataset 1 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('6910e2a2-0376-4b1a-923b-123ebb95bcd9', 0, '/tmp/data/Demo/ada/orders/due/x.tif', 'imported', '', '{8}', '{9}', '{}', 'Dataset 2 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('5c03fa6c-3fc6-4a5d-b873-245323ff0523', 0, '/tmp/data/Demo/ada/orders/done/x.tif', 'imported', '', '{9}', '{10}', '{}', 'Dataset 2 for "ada" of "Demo"');
INSERT INTO importer.inbox VALUES (14, 28, 'running', false, 0, 'Demo', 'ada', false, '2026-11-25 08:03:40.620587+00');
INSERT INTO importer.inbox VALUES (15, 31, 'waiting-1', true, 0, 'Demo', 'bob', false, '2026-11-25 08:03:40.647036+00');
INSERT INTO importer.inbox VALUES (16, 32, 'waiting-2', true, 0, 'Demo', 'bob', false, '2026-11-25 08:03:40.672613+00');
INSERT INTO importer.inbox VALUES (17, 33, 'waiting-3', true, 0, 'Demo', 'bob', false, '2026-11-25 08:03:40.698033+00');
INSERT INTO importer.inbox VALUES (18, 34, 'waiting-4', true, 0, 'Demo', 'bob', false, '2026-11-25 08:03:40.7234+00');
INSERT INTO importer.inbox VALUES (19, 35, 'waiting-5', true, 0, 'Demo', 'bob', false, '2026-11-25 08:03:40.748497+00');
INSERT INTO importer.inbox VALUES (20, 36, 'waiting-6', true, 0, 'Demo', 'bob', false, '2026-11-25 08:03:40.773107+00');
INSERT INTO importer.inbox VALUES (21, 37, 'waiting-7', true, 0, 'Demo', 'ada', false, '2026-11-25 08:03:42.873837+00');
INSERT INTO importer.orders VALUES ('completed', 1, 1, 'completed', '', 0, '2026-11-25 08:03:35.622304+00', '2026-11-25 08:03:35.627646+00', '2026-11-25 08:03:35.660959+00', 'host-1-11247c88', 1, 0, NULL, false);
INSERT INTO importer.orders VALUES ('plate', 3, 1, 'completed', '', 0, '2026-11-25 08:03:35.663542+00', '2026-11-25 08:03:35.664651+00', '2026-11-25 08:03:35.670548+00', 'host-1-11247c88', 1, 0, NULL, false);
INSERT INTO importer.orders VALUES ('failed', 7, 1, 'failed', '2 of 3 files failed: The file "/tmp/data/empty.tif" is empty.', 0, '2026-11-25 08:03:35.697575+00', '2026-11-25 08:03:35.701427+00', '2026-11-25 08:03:35.714747+00', 'host-1-11247c88', 1, 0, NULL, false);
INSERT INTO importer.orders VALUES ('garbled', 10, 1, 'failed', 'The order''s files "a.tif" are not JSON; expected a JSON list of paths such as ["/data/a.tif"].', 0, '2026-11-25 08:03:35.737551+00', '2026-11-25 08:03:35.738814+00', '2026-11-25 08:03:35.740302+00', 'host-1-11247c88', 1, 0, NULL, false);
INSERT INTO importer.orders VALUES ('d7156c90-4651-44e5-af2a-a5cf9ed53b92', 16, 1, 'completed', '', 0, '2026-11-25 08:03:36.799006+00', '2026-11-25 08:03:36.800201+00', '2026-11-25 08:03:36.803599+00', 'host-1-11247c88', 1, 0, NULL, false);
INSERT INTO importer.orders VALUES ('6910e2a2-0376-4b1a-923b-123ebb95bcd9', 19, 1, 'completed', '', 0, '2026-11-25 08:03:37.917741+00', '2026-11-25 08:03:37.935406+00', '2026-11-25 08:03:37.940899+00', 'host-1-11247c88', 1, 0, NULL, false);
INSERT INTO importer.orders VALUES ('5c03fa6c-3fc6-4a5d-b873-245323ff0523', 20, 1, 'completed', '', 0, '2026-11-25 08:03:37.929561+00', '2026-11-25 08:03:37.941262+00', '2026-11-25 08:03:37.945066+00', 'host-1-11247c88', 1, 0, NULL, false);
INSERT INTO importer.orders VALUES ('again', 13, 2, 'completed', '', 0, '2026-11-25 08:03:38.0602+00', '2026-11-25 08:03:38.063777+00', '2026-11-25 08:03:38.066729+00', 'host-1-11247c88', 2, 0, NULL, false);
INSERT INTO importer.orders VALUES ('running', 27, 1, 'running', '', 0, '2026-11-25 08:03:38.309832+00', '2026-11-25 08:03:38.314338+00', NULL, 'host-1-11247c88', 1, 0, NULL, false);
INSERT INTO importer.orders VALUES ('423b8a36-acc6-4143-af46-7c99204aae34', 29, 1, 'running', '', 0, '2026-11-25 08:03:40.529545+00', '2026-11-25 08:03:40.547799+00', NULL, 'host-1-11247c88', 1, 0, NULL, false);
INSERT INTO importer.reports VALUES (2, '\x53e04f5955063b35432b0805e974aae6027fc0615dfa0cc9b77c61552940eeb7', 2, '2026-11-25 08:03:42.509806+00');
INSERT INTO importer.reports VALUES (4, '\x53e04f5955063b35432b0805e974aae6027fc0615dfa0cc9b77c61552940eeb7', 2, '2026-11-25 08:03:42.509806+00');
INSERT INTO importer.reports VALUES (5, '\x53e04f5955063b35432b0805e974aae6027fc0615dfa0cc9b77c61552940eeb7', 2, '2026-11-25 08:03:42.509806+00');
INSERT INTO importer.repository_containers VALUES (1, 'Dataset', 'Demo', 'ada', '', 'Retina');
INSERT INTO importer.repository_containers VALUES (2, 'Dataset', 'Demo', 'ada', 'Demo', 'Manifests');
INSERT INTO importer.repository_filesets VALUES (1, 'completed', '\x2738d9d37a2e9272d4f0b243af6e6bcadd33feb3bd5a27d7f045cbd7aa67f559', '/tmp/data/a.tif', 1, 'ada_1/2026-11/25/08-03-35.654/a.tif', 'Dataset', 151);
INSERT INTO importer.repository_filesets VALUES (2, 'completed', '\xdf7e6bacc9eccb6ba047012039fd4917d4382ee6d66bc1ba0f2dff126fa764dd', '/tmp/data/b.tif', 1, 'ada_1/2026-11/25/08-03-35.654/b.tif', 'Dataset', 151);
INSERT INTO importer.repository_filesets VALUES (3, 'plate', '\xcb44f2fdd68522e3dc70d395467b926abe596b937d93bf2251fe303796edadad', '/tmp/data/plate.ome.zarr', 2, 'ada_1/2026-11/25/08-03-35.668/plate.ome.zarr', 'Screen', 151);
INSERT INTO importer.repository_filesets VALUES (4, 'failed', '\x2e42d2ed2ad2d1660e09769da45041bd13192c3c43975b34548727d1f4b4cc51', '/tmp/data/a.tif', 3, 'bob_2/2026-11/25/08-03-35.711/a.tif', 'Dataset', 151);
INSERT INTO importer.repository_filesets VALUES (5, 'again', '\x2738d9d37a2e9272d4f0b243af6e6bcadd33feb3bd5a27d7f045cbd7aa67f559', '/tmp/data/a.tif', 4, 'ada_1/2026-11/25/08-03-35.777/a.tif', 'Dataset', 151);
INSERT INTO importer.repository_filesets VALUES (6, 'd7156c90-4651-44e5-af2a-a5cf9ed53b92', '\xff5465d9d703a166ebaebe0ee5177d5c6ba1f9e7a86f3dc4ec965ce58a9b6c11', '/tmp/data/Demo/ada/inbox/Retina/copy.tif', 5, 'ada_1/2026-11/25/08-03-36.801/copy.tif', 'Dataset', 1);
INSERT INTO importer.repository_filesets VALUES (7, 'd7156c90-4651-44e5-af2a-a5cf9ed53b92', '\x35a85179c36a633749402a5a6d13e578694f649be0ec4a46a246d43648b73221', '/tmp/data/Demo/ada/inbox/Retina/dropped.tif', 5, 'ada_1/2026-11/25/08-03-36.801/dropped.tif', 'Dataset', 1);
INSERT INTO importer.repository_filesets VALUES (8, '6910e2a2-0376-4b1a-923b-123ebb95bcd9', '\xaf44e5199e2aed8b6c90bd8decdab06e51323d7b2abbf4a1b40046349311beef', '/tmp/data/Demo/ada/orders/due/x.tif', 6, 'ada_1/2026-11/25/08-03-37.940/x.tif', 'Dataset', 2);
INSERT INTO importer.repository_filesets VALUES (9, '5c03fa6c-3fc6-4a5d-b873-245323ff0523', '\x03b377309d767cb8ac5e9c417dfe9a94f120c204c7e153042e7c6ca695dff7be', '/tmp/data/Demo/ada/orders/done/x.tif', 7, 'ada_1/2026-11/25/08-03-37.943/x.tif', 'Dataset', 2);
INSERT INTO importer.repository_images VALUES (1, 1, 'a.tif');
INSERT INTO importer.repository_images VALUES (2, 2, 'b.tif');
INSERT INTO importer.repository_images VALUES (3, 3, 'plate [1]');
INSERT INTO importer.repository_images VALUES (4, 3, 'plate [2]');
INSERT INTO importer.repository_images VALUES (5, 4, 'a.tif');
INSERT INTO importer.repository_images VALUES (6, 5, 'a.tif');
INSERT INTO importer.repository_images VALUES (7, 6, 'copy.tif');
INSERT INTO importer.repository_images VALUES (8, 7, 'dropped.tif');
INSERT INTO importer.repository_images VALUES (9, 8, 'x.tif');
INSERT INTO importer.repository_images VALUES (10, 9, 'x.tif');
INSERT INTO importer.repository_plates VALUES (1, 3, 'plate');
INSERT INTO importer.repository_prefixes VALUES (1, 'ada_1/2026-11/25/08-03-35.654');
INSERT INTO importer.repository_prefixes VALUES (2, 'ada_1/2026-11/25/08-03-35.668');
INSERT INTO importer.repository_prefixes VALUES (3, 'bob_2/2026-11/25/08-03-35.711');
INSERT INTO importer.repository_prefixes VALUES (4, 'ada_1/2026-11/25/08-03-35.777');
INSERT INTO importer.repository_prefixes VALUES (5, 'ada_1/2026-11/25/08-03-36.801');
INSERT INTO importer.repository_prefixes VALUES (6, 'ada_1/2026-11/25/08-03-37.940');
INSERT INTO importer.repository_prefixes VALUES (7, 'ada_1/2026-11/25/08-03-37.943');
INSERT INTO importer.repository_users VALUES (1, 'ada');
INSERT INTO importer.repository_users VALUES (2, 'bob');
INSERT INTO importer.requests VALUES ('6910e2a2-0376-4b1a-923b-123ebb95bcd9', '{"stain": "DAPI"}', '', 0);
INSERT INTO importer.requests VALUES ('5c03fa6c-3fc6-4a5d-b873-245323ff0523', '{"stain": "DAPI"}', '', 0);
INSERT INTO importer.requests VALUES ('423b8a36-acc6-4143-af46-7c99204aae34', '{"stain": "DAPI"}', '', 0);
INSERT INTO importer.schema_version VALUES (1, 0, true, '2026-11-25 08:03:35.439212');
INSERT INTO importer.schema_version VALUES (2, 1, true, '2026-11-25 08:03:35.450314');
INSERT INTO importer.schema_version VALUES (3, 2, true, '2026-11-25 08:03:35.459284');
INSERT INTO importer.schema_version VALUES (4, 3, true, '2026-11-25 08:03:35.466784');
INSERT INTO importer.schema_version VALUES (5, 4, true, '2026-11-25 08:03:35.471406');
INSERT INTO importer.schema_version VALUES (6, 5, true, '2026-11-25 08:03:35.479923');
INSERT INTO importer.schema_version VALUES (7, 6, true, '2026-11-25 08:03:35.481862');
INSERT INTO importer.schema_version VALUES (8, 7, true, '2026-11-25 08:03:35.488011');
INSERT INTO public.alembic_version_omeroadi VALUES ('92e8f9e637a1');
INSERT INTO public.imports VALUES (1, 'Demo', 'ada', '151', 'Dataset', 'Import Pending', 'completed', '2026-11-25 08:03:35.620181+00', '["/tmp/data/a.tif", "/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (2, 'Demo', 'ada', '151', 'Dataset', 'Import Started', 'completed', '2026-11-25 08:03:35.647588+00', '["/tmp/data/a.tif", "/tmp/data/b.tif"]', '["a.tif", "b.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (3, 'Demo', 'ada', '151', 'Screen', 'Import Pending', 'plate', '2026-11-25 08:03:35.661433+00', '["/tmp/data/plate.ome.zarr"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (4, 'Demo', 'ada', '151', 'Dataset', 'Import Completed', 'completed', '2026-11-25 08:03:35.662386+00', '["/tmp/data/a.tif", "/tmp/data/b.tif"]', '["a.tif", "b.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (5, 'Demo', 'ada', '151', 'Screen', 'Import Started', 'plate', '2026-11-25 08:03:35.667625+00', '["/tmp/data/plate.ome.zarr"]', '["plate.ome.zarr"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (6, 'Demo', 'ada', '151', 'Screen', 'Import Completed', 'plate', '2026-11-25 08:03:35.674131+00', '["/tmp/data/plate.ome.zarr"]', '["plate.ome.zarr"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (7, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'failed', '2026-11-25 08:03:35.695751+00', '["/tmp/data/a.tif", "/tmp/data/empty.tif", "/tmp/data/none.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (8, 'Demo', 'bob', '151', 'Dataset', 'Import Started', 'failed', '2026-11-25 08:03:35.710195+00', '["/tmp/data/a.tif", "/tmp/data/empty.tif", "/tmp/data/none.tif"]', '["a.tif", "...", "none.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (9, 'Demo', 'bob', '151', 'Dataset', 'Import Failed', 'failed', '2026-11-25 08:03:35.715348+00', '["/tmp/data/a.tif", "/tmp/data/empty.tif", "/tmp/data/none.tif"]', '["a.tif", "...", "none.tif"]', NULL, '2 of 3 files failed: The file "/tmp/data/empty.tif" is empty.', NULL);
INSERT INTO public.imports VALUES (10, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'garbled', '2026-11-25 08:03:35.735629+00', 'a.tif', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (11, 'Demo', 'bob', '151', 'Dataset', 'Import Started', 'garbled', '2026-11-25 08:03:35.739195+00', 'a.tif', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (12, 'Demo', 'bob', '151', 'Dataset', 'Import Failed', 'garbled', '2026-11-25 08:03:35.742584+00', 'a.tif', NULL, NULL, 'The order''s files "a.tif" are not JSON; expected a JSON list of paths such as ["/data/a.tif"].', NULL);
INSERT INTO public.imports VALUES (16, 'Demo', 'ada', '1', 'Dataset', 'Import Pending', 'd7156c90-4651-44e5-af2a-a5cf9ed53b92', '2026-11-25 08:03:36.79735+00', '["/tmp/data/Demo/ada/inbox/Retina/copy.tif", "/tmp/data/Demo/ada/inbox/Retina/dropped.tif"]', '["copy.tif", "dropped.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (17, 'Demo', 'ada', '1', 'Dataset', 'Import Started', 'd7156c90-4651-44e5-af2a-a5cf9ed53b92', '2026-11-25 08:03:36.800794+00', '["/tmp/data/Demo/ada/inbox/Retina/copy.tif", "/tmp/data/Demo/ada/inbox/Retina/dropped.tif"]', '["copy.tif", "dropped.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (18, 'Demo', 'ada', '1', 'Dataset', 'Import Completed', 'd7156c90-4651-44e5-af2a-a5cf9ed53b92', '2026-11-25 08:03:36.803793+00', '["/tmp/data/Demo/ada/inbox/Retina/copy.tif", "/tmp/data/Demo/ada/inbox/Retina/dropped.tif"]', '["copy.tif", "dropped.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (19, 'Demo', 'ada', '2', 'Dataset', 'Import Pending', '6910e2a2-0376-4b1a-923b-123ebb95bcd9', '2026-11-25 08:03:37.917608+00', '["/tmp/data/Demo/ada/orders/due/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (20, 'Demo', 'ada', '2', 'Dataset', 'Import Pending', '5c03fa6c-3fc6-4a5d-b873-245323ff0523', '2026-11-25 08:03:37.929468+00', '["/tmp/data/Demo/ada/orders/done/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (21, 'Demo', 'ada', '2', 'Dataset', 'Import Started', '6910e2a2-0376-4b1a-923b-123ebb95bcd9', '2026-11-25 08:03:37.936665+00', '["/tmp/data/Demo/ada/orders/due/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (22, 'Demo', 'ada', '2', 'Dataset', 'Import Completed', '6910e2a2-0376-4b1a-923b-123ebb95bcd9', '2026-11-25 08:03:37.941539+00', '["/tmp/data/Demo/ada/orders/due/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (23, 'Demo', 'ada', '2', 'Dataset', 'Import Started', '5c03fa6c-3fc6-4a5d-b873-245323ff0523', '2026-11-25 08:03:37.942066+00', '["/tmp/data/Demo/ada/orders/done/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (24, 'Demo', 'ada', '2', 'Dataset', 'Import Completed', '5c03fa6c-3fc6-4a5d-b873-245323ff0523', '2026-11-25 08:03:37.945423+00', '["/tmp/data/Demo/ada/orders/done/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (13, 'Demo', 'ada', '151', 'Dataset', 'Import Pending', 'again', '2026-11-25 08:03:35.771451+00', '["/tmp/data/a.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (14, 'Demo', 'ada', '151', 'Dataset', 'Import Pending', 'again', '2026-11-25 08:03:35.776849+00', '["/tmp/data/a.tif"]', '["a.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (15, 'Demo', 'ada', '151', 'Dataset', 'Import Pending', 'again', '2026-11-25 08:03:35.780744+00', '["/tmp/data/a.tif"]', '["a.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (25, 'Demo', 'ada', '151', 'Dataset', 'Import Started', 'again', '2026-11-25 08:03:38.066246+00', '["/tmp/data/a.tif"]', '["a.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (26, 'Demo', 'ada', '151', 'Dataset', 'Import Completed', 'again', '2026-11-25 08:03:38.066879+00', '["/tmp/data/a.tif"]', '["a.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (27, 'Demo', 'ada', '151', 'Screen', 'Import Pending', 'running', '2026-11-25 08:03:38.308105+00', '["/tmp/data/a.tif", "/tmp/data/plate.ome.zarr"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (29, 'Demo', 'ada', '2', 'Dataset', 'Import Pending', '423b8a36-acc6-4143-af46-7c99204aae34', '2026-11-25 08:03:40.528272+00', '["/tmp/data/Demo/ada/orders/running/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (30, 'Demo', 'ada', '2', 'Dataset', 'Import Started', '423b8a36-acc6-4143-af46-7c99204aae34', '2026-11-25 08:03:40.550474+00', '["/tmp/data/Demo/ada/orders/running/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (28, 'Demo', 'ada', '151', 'Screen', 'Import Pending', 'running', '2026-11-25 08:03:38.31465+00', '["/tmp/data/a.tif", "/tmp/data/plate.ome.zarr"]', '["a.tif", "plate.ome.zarr"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (31, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'waiting-1', '2026-11-25 08:03:40.645226+00', '["/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (32, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'waiting-2', '2026-11-25 08:03:40.67107+00', '["/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (33, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'waiting-3', '2026-11-25 08:03:40.696389+00', '["/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (34, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'waiting-4', '2026-11-25 08:03:40.721788+00', '["/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (35, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'waiting-5', '2026-11-25 08:03:40.746909+00', '["/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (36, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'waiting-6', '2026-11-25 08:03:40.771669+00', '["/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (37, 'Demo', 'ada', '151', 'Dataset', 'Import Pending', 'waiting-7', '2026-11-25 08:03:42.87217+00', '["/tmp/data/a.tif", "/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
SELECT pg_catalog.setval('importer.inbox_id_seq', 21, true);
SELECT pg_catalog.setval('importer.reports_id_seq', 9, true);
SELECT pg_catalog.setval('importer.repository_containers_id_seq', 2, true);
SELECT pg_catalog.setval('importer.repository_filesets_id_seq', 11, true);
SELECT pg_catalog.setval('importer.repository_images_id_seq', 13, true);
SELECT pg_catalog.setval('importer.repository_plates_id_seq', 2, true);
SELECT pg_catalog.setval('importer.repository_prefixes_id_seq', 8, true);
SELECT pg_catalog.setval('importer.repository_users_id_seq', 2, true);
SELECT pg_catalog.setval('importer.schema_version_id_seq', 8, true);
SELECT pg_catalog.setval('public.imports_id_seq', 37, true);
SELECT pg_catalog.setval('public.imports_preprocessing_id_seq', 1, false);
ALTER TABLE ONLY importer.drops
    ADD CONSTRAINT drops_pkey PRIMARY KEY (key);
ALTER TABLE ONLY importer.files
    ADD CONSTRAINT files_pkey PRIMARY KEY (order_uuid, ordinal);
ALTER TABLE ONLY importer.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (id);
ALTER TABLE ONLY importer.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (uuid);
ALTER TABLE ONLY importer.pauses
    ADD CONSTRAINT pauses_pkey PRIMARY KEY (group_name, user_name);
ALTER TABLE ONLY importer.progress
    ADD CONSTRAINT progress_pkey PRIMARY KEY (uuid);
ALTER TABLE ONLY importer.reports
    ADD CONSTRAINT reports_pkey PRIMARY KEY (id);
ALTER TABLE ONLY importer.repository_containers
    ADD CONSTRAINT repository_containers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY importer.repository_containers
    ADD CONSTRAINT repository_containers_type_group_name_user_name_project_nam_key UNIQUE (type, group_name, user_name, project, name);
ALTER TABLE ONLY importer.repository_filesets
    ADD CONSTRAINT repository_filesets_order_uuid_source_key_key UNIQUE (order_uuid, source_key);
ALTER TABLE ONLY importer.repository_filesets
    ADD CONSTRAINT repository_filesets_pkey PRIMARY KEY (id);
ALTER TABLE ONLY importer.repository_images
    ADD CONSTRAINT repository_images_pkey PRIMARY KEY (id);
ALTER TABLE ONLY importer.repository_plates
    ADD CONSTRAINT repository_plates_pkey PRIMARY KEY (id);
ALTER TABLE ONLY importer.repository_prefixes
    ADD CONSTRAINT repository_prefixes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY importer.repository_prefixes
    ADD CONSTRAINT repository_prefixes_prefix_key UNIQUE (prefix);
ALTER TABLE ONLY importer.repository_users
    ADD CONSTRAINT repository_users_name_key UNIQUE (name);
ALTER TABLE ONLY importer.repository_users
    ADD CONSTRAINT repository_users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY importer.requests
    ADD CONSTRAINT requests_pkey PRIMARY KEY (uuid);
ALTER TABLE ONLY importer.schema_version
    ADD CONSTRAINT schema_version_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alembic_version_omeroadi
    ADD CONSTRAINT alembic_version_omeroadi_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.imports
    ADD CONSTRAINT imports_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.imports_preprocessing
    ADD CONSTRAINT imports_preprocessing_pkey PRIMARY KEY (id);
CREATE INDEX drops_fingerprint ON importer.drops USING btree (fingerprint, first_seen) WHERE (fingerprint IS NOT NULL);
CREATE INDEX drops_folder ON importer.drops USING btree (folder) WHERE (mark IS NOT NULL);
CREATE INDEX drops_manifest_uuid ON importer.drops USING btree (uuid) WHERE (kind = ANY (ARRAY['manifest'::text, 'legacy'::text]));
CREATE INDEX inbox_turn ON importer.inbox USING btree (rank, group_name, user_name, id) WHERE (NOT parked);
CREATE INDEX inbox_uuid ON importer.inbox USING btree (uuid);
CREATE INDEX orders_due ON importer.orders USING btree (due_at) WHERE (state = 'queued'::text);
CREATE INDEX orders_ended_at ON importer.orders USING btree (ended_at) WHERE (state = ANY (ARRAY['completed'::text, 'failed'::text]));
CREATE INDEX orders_queued_at ON importer.orders USING btree (queued_at);
CREATE INDEX orders_running ON importer.orders USING btree (agent) WHERE (state = 'running'::text);
CREATE INDEX reports_due_at ON importer.reports USING btree (due_at);
CREATE INDEX repository_images_fileset ON importer.repository_images USING btree (fileset_id);
CREATE INDEX repository_plates_fileset ON importer.repository_plates USING btree (fileset_id);
CREATE INDEX imports_ix_uuid_timestamp ON public.imports USING btree (uuid, "timestamp");
CREATE INDEX ix_imports_user_name ON public.imports USING btree (user_name);
CREATE INDEX ix_imports_uuid ON public.imports USING btree (uuid);
CREATE TRIGGER importer_announce_pending AFTER INSERT OR UPDATE OF stage ON public.imports FOR EACH ROW WHEN (((new.stage)::text = 'Import Pending'::text)) EXECUTE FUNCTION importer.announce_pending();
ALTER TABLE public.imports ENABLE ALWAYS TRIGGER importer_announce_pending;
ALTER TABLE ONLY importer.files
    ADD CONSTRAINT files_order_uuid_fkey FOREIGN KEY (order_uuid) REFERENCES importer.orders(uuid) ON DELETE CASCADE;
ALTER TABLE ONLY importer.progress
    ADD CONSTRAINT progress_uuid_fkey FOREIGN KEY (uuid) REFERENCES importer.orders(uuid) ON DELETE CASCADE;
ALTER TABLE ONLY importer.reports
    ADD CONSTRAINT reports_drop_key_fkey FOREIGN KEY (drop_key) REFERENCES importer.drops(key) ON DELETE CASCADE;
ALTER TABLE ONLY importer.repository_filesets
    ADD CONSTRAINT repository_filesets_prefix_id_fkey FOREIGN KEY (prefix_id) REFERENCES importer.repository_prefixes(id);
ALTER TABLE ONLY importer.repository_images
    ADD CONSTRAINT repository_images_fileset_id_fkey FOREIGN KEY (fileset_id) REFERENCES importer.repository_filesets(id);
ALTER TABLE ONLY importer.repository_plates
    ADD CONSTRAINT repository_plates_fileset_id_fkey FOREIGN KEY (fileset_id) REFERENCES importer.repository_filesets(id);
ALTER TABLE ONLY public.imports
    ADD CONSTRAINT imports_preprocessing_id_fkey FOREIGN KEY (preprocessing_id) REFERENCES public.imports_preprocessing(id);
