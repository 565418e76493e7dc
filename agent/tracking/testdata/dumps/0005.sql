-- Made by scripts/dump of 8c7e348, Test how long a held file that is gone is looked for.
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
CREATE TYPE importer.river_job_state AS ENUM (
    'available',
    'cancelled',
    'completed',
    'discarded',
    'pending',
    'retryable',
    'running',
    'scheduled'
);
CREATE FUNCTION importer.announce_pending() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO importer.inbox (import_id, uuid, inserted) VALUES (NEW.id, NEW.uuid, TG_OP = 'INSERT');
    PERFORM pg_notify('importer_orders', '');
    RETURN NULL;
END
$$;
CREATE FUNCTION importer.river_job_state_in_bitmask(bitmask bit, state importer.river_job_state) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE state
        WHEN 'available' THEN get_bit(bitmask, 7)
        WHEN 'cancelled' THEN get_bit(bitmask, 6)
        WHEN 'completed' THEN get_bit(bitmask, 5)
        WHEN 'discarded' THEN get_bit(bitmask, 4)
        WHEN 'pending'   THEN get_bit(bitmask, 3)
        WHEN 'retryable' THEN get_bit(bitmask, 2)
        WHEN 'running'   THEN get_bit(bitmask, 1)
        WHEN 'scheduled' THEN get_bit(bitmask, 0)
        ELSE 0
    END = 1;
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
    inserted boolean NOT NULL
);
CREATE SEQUENCE importer.inbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE importer.inbox_id_seq OWNED BY importer.inbox.id;
CREATE TABLE importer.orders (
    uuid text NOT NULL,
    import_id bigint NOT NULL,
    attempt integer NOT NULL,
    state text NOT NULL,
    job_id bigint NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    crashes integer DEFAULT 0 NOT NULL,
    queued_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    CONSTRAINT orders_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'completed'::text, 'failed'::text])))
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
    metadata jsonb NOT NULL,
    metadata_file text DEFAULT ''::text NOT NULL
);
CREATE TABLE importer.river_job (
    id bigint NOT NULL,
    state importer.river_job_state DEFAULT 'available'::importer.river_job_state NOT NULL,
    attempt smallint DEFAULT 0 NOT NULL,
    max_attempts smallint DEFAULT 25 NOT NULL,
    attempted_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finalized_at timestamp with time zone,
    scheduled_at timestamp with time zone DEFAULT now() NOT NULL,
    priority smallint DEFAULT 1 NOT NULL,
    args jsonb NOT NULL,
    attempted_by text[],
    errors jsonb[],
    kind text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    queue text DEFAULT 'default'::text NOT NULL,
    tags character varying(255)[] DEFAULT '{}'::character varying[] NOT NULL,
    unique_key bytea,
    unique_states bit(8),
    CONSTRAINT finalized_or_finalized_at_null CHECK ((((finalized_at IS NULL) AND (state <> ALL (ARRAY['cancelled'::importer.river_job_state, 'completed'::importer.river_job_state, 'discarded'::importer.river_job_state]))) OR ((finalized_at IS NOT NULL) AND (state = ANY (ARRAY['cancelled'::importer.river_job_state, 'completed'::importer.river_job_state, 'discarded'::importer.river_job_state]))))),
    CONSTRAINT kind_length CHECK (((char_length(kind) > 0) AND (char_length(kind) < 128))),
    CONSTRAINT max_attempts_is_positive CHECK ((max_attempts > 0)),
    CONSTRAINT priority_in_range CHECK (((priority >= 1) AND (priority <= 4))),
    CONSTRAINT queue_length CHECK (((char_length(queue) > 0) AND (char_length(queue) < 128)))
);
CREATE SEQUENCE importer.river_job_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE importer.river_job_id_seq OWNED BY importer.river_job.id;
CREATE UNLOGGED TABLE importer.river_leader (
    elected_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    leader_id text NOT NULL,
    name text DEFAULT 'default'::text NOT NULL,
    CONSTRAINT leader_id_length CHECK (((char_length(leader_id) > 0) AND (char_length(leader_id) < 128))),
    CONSTRAINT name_length CHECK ((name = 'default'::text))
);
CREATE TABLE importer.river_migration (
    line text NOT NULL,
    version bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT line_length CHECK (((char_length(line) > 0) AND (char_length(line) < 128))),
    CONSTRAINT version_gte_1 CHECK ((version >= 1))
);
CREATE TABLE importer.river_notification (
    id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    payload text NOT NULL,
    topic text NOT NULL,
    CONSTRAINT topic_length CHECK (((length(topic) > 0) AND (length(topic) < 128)))
);
CREATE SEQUENCE importer.river_notification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE importer.river_notification_id_seq OWNED BY importer.river_notification.id;
CREATE TABLE importer.river_queue (
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    paused_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
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
CREATE TABLE public.alembic_version_omeroadi (
    version_num character varying(32) NOT NULL
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
ALTER TABLE ONLY importer.river_job ALTER COLUMN id SET DEFAULT nextval('importer.river_job_id_seq'::regclass);
ALTER TABLE ONLY importer.river_notification ALTER COLUMN id SET DEFAULT nextval('importer.river_notification_id_seq'::regclass);
ALTER TABLE ONLY public.imports ALTER COLUMN id SET DEFAULT nextval('public.imports_id_seq'::regclass);
ALTER TABLE ONLY public.imports_preprocessing ALTER COLUMN id SET DEFAULT nextval('public.imports_preprocessing_id_seq'::regclass);
INSERT INTO importer.drops VALUES ('\xe75ff225913a146e2d4bda0e130004b127c52118394198bf5910bfb4d8e6fd37', '/tmp/data/Demo/ada/inbox/Retina/copy.tif', 'file', 43, 1795593795388019352, 10023292, '\x', 'taken', '', '', '1caea63f-4b92-4014-94ca-bc27a76a704d', 1, '2026-11-25 08:03:16.406581+00', '2026-11-25 08:03:16.406581+00', -6731188303219828941, 8452414819847616773, -3686579991938722673, '', false);
INSERT INTO importer.drops VALUES ('\xce678aae99a58e53071d5d7e2d6a768f0b2dad50fec24e8dda22b186cc9aa289', '/tmp/data/Demo/ada/inbox/Retina/dropped.tif', 'file', 43, 1795593795385252089, 10023289, '\x', 'taken', '', '', '1caea63f-4b92-4014-94ca-bc27a76a704d', 1, '2026-11-25 08:03:16.406671+00', '2026-11-25 08:03:16.406671+00', -6731188303219828941, -7450749450499131038, -3686579991938722673, '/tmp/data/Demo/ada/inbox/Retina/copy.tif', false);
INSERT INTO importer.drops VALUES ('\x504f62e4a3120140a21af205a0dceff8d576cf33d359fe3975e5dacdd66aaf76', '/tmp/data/Demo/ada/orders/waiting/order.yml', 'manifest', 136, 1795593795402227068, 10023301, '\x389e2f38b44ca70c99f3c53c09b882c836d190a8d844b521787ccf735f046735', 'waiting', '', '', '', 1, '2026-11-25 08:03:16.410177+00', '2026-11-25 08:03:16.410177+00', -659288521428277162, NULL, NULL, '', false);
INSERT INTO importer.drops VALUES ('\x94a2e8c042c82577bff99e30a8a327d8522969bc3676d246d52d6b17fdafb5db', '/tmp/data/Demo/ada/orders/refused/order.yml', 'manifest', 116, 1795593795395408734, 10023298, '\x15f949fc1e177d777d61b75a7a4890c8eb9656b75267986b07b8253096edac17', 'refused', 'order.yml:5:8: The list of files is empty. Expected paths or patterns, such as ["*.tif", plate1/].', '', '', 1, '2026-11-25 08:03:16.458327+00', '2026-11-25 08:03:16.458327+00', 3251764020102799626, NULL, NULL, '', false);
INSERT INTO importer.drops VALUES ('\x7f93aa8f6e7e1c2d4975d7145bc2b951ace9c750e4b345aea238927d93140c9a', '/tmp/data/Demo/ada/orders/done/x.tif', 'file', 36, 1795593795390395949, 0, '\x', 'taken', '', '', 'dcc3f597-34da-4d4f-ab16-27473aa33ae5', 1, '2026-11-25 08:03:17.561638+00', '2026-11-25 08:03:17.561638+00', 184292228844914645, NULL, 3339087738452875561, '', false);
INSERT INTO importer.drops VALUES ('\x42960ef364ceafccdae2365e66317122d309d38b87ad41f33c5867afb1b92b3e', '/tmp/data/Demo/ada/orders/done/order.yml', 'manifest', 121, 1795593795392891249, 10023296, '\x4b79a45a1f5d9857f72034d1b54ea0d1a42c3806ec34d328da3f00083833e3f2', 'taken', '', '', 'dcc3f597-34da-4d4f-ab16-27473aa33ae5', 2, '2026-11-25 08:03:16.404368+00', '2026-11-25 08:03:17.562195+00', 184292228844914645, NULL, NULL, '', false);
INSERT INTO importer.drops VALUES ('\xf16994e1a96b2ce065841889665a7dcfd9acd414119afd929b24403d151a5461', '/tmp/data/Demo/ada/orders/due/x.tif', 'file', 35, 1795593795407441907, 0, '\x', 'taken', '', '', '97142f17-e347-4c8e-91d0-b8f1d5e456fd', 1, '2026-11-25 08:03:17.574641+00', '2026-11-25 08:03:17.574641+00', -2083249784854401039, NULL, 4260103383188929684, '', false);
INSERT INTO importer.drops VALUES ('\x53e04f5955063b35432b0805e974aae6027fc0615dfa0cc9b77c61552940eeb7', '/tmp/data/Demo/ada/orders/due/order.yml', 'manifest', 121, 1795593795410286067, 10023306, '\x4b79a45a1f5d9857f72034d1b54ea0d1a42c3806ec34d328da3f00083833e3f2', 'taken', '', '', '97142f17-e347-4c8e-91d0-b8f1d5e456fd', 2, '2026-11-25 08:03:16.419523+00', '2026-11-25 08:03:17.575085+00', -2083249784854401039, NULL, NULL, '', false);
INSERT INTO importer.drops VALUES ('\x23910373105199e3b636898f965de7514474b26e10f3336f70f11619493ac49d', '/tmp/data/Demo/ada/orders/running/x.tif', 'file', 39, 1795593797928770940, 0, '\x', 'taken', '', '', '46f8bbe5-814c-485d-ab7a-3f52fa8ba198', 1, '2026-11-25 08:03:20.060332+00', '2026-11-25 08:03:20.060332+00', 3552743319272614401, NULL, 5305804907550797537, '', false);
INSERT INTO importer.drops VALUES ('\x68f05915f2aaa3583510373a2846b704f93fa9b67d92cc8def2db49bc078f109', '/tmp/data/Demo/ada/orders/running/order.yml', 'manifest', 121, 1795593797931380375, 10023612, '\x4b79a45a1f5d9857f72034d1b54ea0d1a42c3806ec34d328da3f00083833e3f2', 'taken', '', '', '46f8bbe5-814c-485d-ab7a-3f52fa8ba198', 2, '2026-11-25 08:03:18.939912+00', '2026-11-25 08:03:20.060933+00', 3552743319272614401, NULL, NULL, '', false);
INSERT INTO importer.files VALUES ('completed', 0, '/tmp/data/a.tif', 'imported', '', '{1}', '{1}', '{}', 'Dataset 151 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('completed', 1, '/tmp/data/b.tif', 'imported', '', '{2}', '{2}', '{}', 'Dataset 151 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('plate', 0, '/tmp/data/plate.ome.zarr', 'imported', '', '{3}', '{3,4}', '{1}', 'Screen 151 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('failed', 0, '/tmp/data/a.tif', 'pending', '', '{}', '{}', '{}', 'Dataset 151 for "bob" of "Demo"');
INSERT INTO importer.files VALUES ('failed', 1, '/tmp/data/empty.tif', 'failed', 'The file "/tmp/data/empty.tif" is empty.', '{}', '{}', '{}', 'Dataset 151 for "bob" of "Demo"');
INSERT INTO importer.files VALUES ('failed', 2, '/tmp/data/none.tif', 'failed', 'There is no file or folder "/tmp/data/none.tif".', '{}', '{}', '{}', 'Dataset 151 for "bob" of "Demo"');
INSERT INTO importer.files VALUES ('again', 0, '/tmp/data/a.tif', 'imported', '', '{4}', '{5}', '{}', 'Dataset 151 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('1caea63f-4b92-4014-94ca-bc27a76a704d', 0, '/tmp/data/Demo/ada/inbox/Retina/copy.tif', 'imported', '', '{5}', '{6}', '{}', 'Dataset 1 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('1caea63f-4b92-4014-94ca-bc27a76a704d', 1, '/tmp/data/Demo/ada/inbox/Retina/dropped.tif', 'imported', '', '{6}', '{7}', '{}', 'Dataset 1 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('dcc3f597-34da-4d4f-ab16-27473aa33ae5', 0, '/tmp/data/Demo/ada/orders/done/x.tif', 'imported', '', '{7}', '{8}', '{}', 'Dataset 2 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('97142f17-e347-4c8e-91d0-b8f1d5e456fd', 0, '/tmp/data/Demo/ada/orders/due/x.tif', 'imported', '', '{8}', '{9}', '{}', 'Dataset 2 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('running', 0, '/tmp/data/a.tif', 'pending', '', '{}', '{}', '{}', 'Screen 151 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('running', 1, '/tmp/data/plate.ome.zarr', 'pending', '', '{}', '{}', '{}', 'Screen 151 for "ada" of "Demo"');
INSERT INTO importer.files VALUES ('46f8bbe5-814c-485d-ab7a-3f52fa8ba198', 0, '/tmp/data/Demo/ada/orders/running/x.tif', 'pending', '', '{}', '{}', '{}', 'Dataset 2 for "ada" of "Demo"');
INSERT INTO importer.inbox VALUES (14, 28, 'running', false);
INSERT INTO importer.inbox VALUES (21, 37, 'waiting-7', true);
INSERT INTO importer.orders VALUES ('completed', 1, 1, 'completed', 1, '', 0, '2026-11-25 08:03:15.267416+00', '2026-11-25 08:03:15.274947+00', '2026-11-25 08:03:15.279139+00');
INSERT INTO importer.orders VALUES ('plate', 4, 1, 'completed', 2, '', 0, '2026-11-25 08:03:15.295552+00', '2026-11-25 08:03:15.300923+00', '2026-11-25 08:03:15.303132+00');
INSERT INTO importer.orders VALUES ('failed', 7, 1, 'failed', 3, '2 of 3 files cannot be imported: The file "/tmp/data/empty.tif" is empty.', 0, '2026-11-25 08:03:15.32484+00', '2026-11-25 08:03:15.331946+00', '2026-11-25 08:03:15.33271+00');
INSERT INTO importer.orders VALUES ('garbled', 10, 1, 'failed', 4, 'The order''s files "a.tif" are not JSON; expected a JSON list of paths such as ["/data/a.tif"].', 0, '2026-11-25 08:03:15.353363+00', '2026-11-25 08:03:15.355052+00', '2026-11-25 08:03:15.355428+00');
INSERT INTO importer.orders VALUES ('1caea63f-4b92-4014-94ca-bc27a76a704d', 16, 1, 'completed', 6, '', 0, '2026-11-25 08:03:16.411987+00', '2026-11-25 08:03:16.415675+00', '2026-11-25 08:03:16.419484+00');
INSERT INTO importer.orders VALUES ('dcc3f597-34da-4d4f-ab16-27473aa33ae5', 19, 1, 'completed', 7, '', 0, '2026-11-25 08:03:17.570549+00', '2026-11-25 08:03:17.573491+00', '2026-11-25 08:03:17.578489+00');
INSERT INTO importer.orders VALUES ('97142f17-e347-4c8e-91d0-b8f1d5e456fd', 21, 1, 'completed', 8, '', 0, '2026-11-25 08:03:17.580139+00', '2026-11-25 08:03:17.595815+00', '2026-11-25 08:03:17.599547+00');
INSERT INTO importer.orders VALUES ('again', 13, 2, 'completed', 9, '', 0, '2026-11-25 08:03:17.677575+00', '2026-11-25 08:03:17.68243+00', '2026-11-25 08:03:17.682763+00');
INSERT INTO importer.orders VALUES ('running', 27, 1, 'running', 10, '', 0, '2026-11-25 08:03:17.92006+00', '2026-11-25 08:03:17.922669+00', NULL);
INSERT INTO importer.orders VALUES ('46f8bbe5-814c-485d-ab7a-3f52fa8ba198', 29, 1, 'running', 11, '', 0, '2026-11-25 08:03:20.064765+00', '2026-11-25 08:03:20.066693+00', NULL);
INSERT INTO importer.orders VALUES ('waiting-1', 31, 1, 'queued', 12, '', 0, '2026-11-25 08:03:20.230762+00', NULL, NULL);
INSERT INTO importer.orders VALUES ('waiting-2', 32, 1, 'queued', 13, '', 0, '2026-11-25 08:03:20.258896+00', NULL, NULL);
INSERT INTO importer.orders VALUES ('waiting-3', 33, 1, 'queued', 14, '', 0, '2026-11-25 08:03:20.287094+00', NULL, NULL);
INSERT INTO importer.orders VALUES ('waiting-4', 34, 1, 'queued', 15, '', 0, '2026-11-25 08:03:20.313474+00', NULL, NULL);
INSERT INTO importer.orders VALUES ('waiting-5', 35, 1, 'queued', 16, '', 0, '2026-11-25 08:03:20.34031+00', NULL, NULL);
INSERT INTO importer.orders VALUES ('waiting-6', 36, 1, 'queued', 17, '', 0, '2026-11-25 08:03:20.367656+00', NULL, NULL);
INSERT INTO importer.reports VALUES (4, '\x53e04f5955063b35432b0805e974aae6027fc0615dfa0cc9b77c61552940eeb7', 2, '2026-11-25 08:03:22.063687+00');
INSERT INTO importer.reports VALUES (6, '\x53e04f5955063b35432b0805e974aae6027fc0615dfa0cc9b77c61552940eeb7', 2, '2026-11-25 08:03:22.063687+00');
INSERT INTO importer.reports VALUES (7, '\x53e04f5955063b35432b0805e974aae6027fc0615dfa0cc9b77c61552940eeb7', 2, '2026-11-25 08:03:22.063687+00');
INSERT INTO importer.repository_containers VALUES (1, 'Dataset', 'Demo', 'ada', '', 'Retina');
INSERT INTO importer.repository_containers VALUES (2, 'Dataset', 'Demo', 'ada', 'Demo', 'Manifests');
INSERT INTO importer.repository_filesets VALUES (1, 'completed', '\x2738d9d37a2e9272d4f0b243af6e6bcadd33feb3bd5a27d7f045cbd7aa67f559', '/tmp/data/a.tif', 1, 'ada_1/2026-11/25/08-03-15.276/a.tif', 'Dataset', 151);
INSERT INTO importer.repository_filesets VALUES (2, 'completed', '\xdf7e6bacc9eccb6ba047012039fd4917d4382ee6d66bc1ba0f2dff126fa764dd', '/tmp/data/b.tif', 1, 'ada_1/2026-11/25/08-03-15.276/b.tif', 'Dataset', 151);
INSERT INTO importer.repository_filesets VALUES (3, 'plate', '\xcb44f2fdd68522e3dc70d395467b926abe596b937d93bf2251fe303796edadad', '/tmp/data/plate.ome.zarr', 2, 'ada_1/2026-11/25/08-03-15.301/plate.ome.zarr', 'Screen', 151);
INSERT INTO importer.repository_filesets VALUES (4, 'again', '\x2738d9d37a2e9272d4f0b243af6e6bcadd33feb3bd5a27d7f045cbd7aa67f559', '/tmp/data/a.tif', 3, 'ada_1/2026-11/25/08-03-15.384/a.tif', 'Dataset', 151);
INSERT INTO importer.repository_filesets VALUES (5, '1caea63f-4b92-4014-94ca-bc27a76a704d', '\xff5465d9d703a166ebaebe0ee5177d5c6ba1f9e7a86f3dc4ec965ce58a9b6c11', '/tmp/data/Demo/ada/inbox/Retina/copy.tif', 4, 'ada_1/2026-11/25/08-03-16.416/copy.tif', 'Dataset', 1);
INSERT INTO importer.repository_filesets VALUES (6, '1caea63f-4b92-4014-94ca-bc27a76a704d', '\x35a85179c36a633749402a5a6d13e578694f649be0ec4a46a246d43648b73221', '/tmp/data/Demo/ada/inbox/Retina/dropped.tif', 4, 'ada_1/2026-11/25/08-03-16.416/dropped.tif', 'Dataset', 1);
INSERT INTO importer.repository_filesets VALUES (7, 'dcc3f597-34da-4d4f-ab16-27473aa33ae5', '\x03b377309d767cb8ac5e9c417dfe9a94f120c204c7e153042e7c6ca695dff7be', '/tmp/data/Demo/ada/orders/done/x.tif', 5, 'ada_1/2026-11/25/08-03-17.574/x.tif', 'Dataset', 2);
INSERT INTO importer.repository_filesets VALUES (8, '97142f17-e347-4c8e-91d0-b8f1d5e456fd', '\xaf44e5199e2aed8b6c90bd8decdab06e51323d7b2abbf4a1b40046349311beef', '/tmp/data/Demo/ada/orders/due/x.tif', 6, 'ada_1/2026-11/25/08-03-17.597/x.tif', 'Dataset', 2);
INSERT INTO importer.repository_filesets VALUES (9, '46f8bbe5-814c-485d-ab7a-3f52fa8ba198', '\x76eb7c86341e11ea25591a3a58f323d9326012a16a6d21f416947dd5092c1f40', '/tmp/data/Demo/ada/orders/running/x.tif', 7, 'ada_1/2026-11/25/08-03-20.067/x.tif', 'Dataset', 2);
INSERT INTO importer.repository_filesets VALUES (10, 'running', '\xe4fcd6049fb35de70826441bd3fa8d110842fff1bc16fc129eadefb6c7d227b8', '/tmp/data/a.tif', 8, 'ada_1/2026-11/25/08-03-17.923/a.tif', 'Screen', 151);
INSERT INTO importer.repository_filesets VALUES (11, 'running', '\xcb44f2fdd68522e3dc70d395467b926abe596b937d93bf2251fe303796edadad', '/tmp/data/plate.ome.zarr', 8, 'ada_1/2026-11/25/08-03-17.923/plate.ome.zarr', 'Screen', 151);
INSERT INTO importer.repository_images VALUES (1, 1, 'a.tif');
INSERT INTO importer.repository_images VALUES (2, 2, 'b.tif');
INSERT INTO importer.repository_images VALUES (3, 3, 'plate [1]');
INSERT INTO importer.repository_images VALUES (4, 3, 'plate [2]');
INSERT INTO importer.repository_images VALUES (5, 4, 'a.tif');
INSERT INTO importer.repository_images VALUES (6, 5, 'copy.tif');
INSERT INTO importer.repository_images VALUES (7, 6, 'dropped.tif');
INSERT INTO importer.repository_images VALUES (8, 7, 'x.tif');
INSERT INTO importer.repository_images VALUES (9, 8, 'x.tif');
INSERT INTO importer.repository_images VALUES (10, 9, 'x.tif');
INSERT INTO importer.repository_images VALUES (11, 10, 'a.tif');
INSERT INTO importer.repository_images VALUES (12, 11, 'plate [1]');
INSERT INTO importer.repository_images VALUES (13, 11, 'plate [2]');
INSERT INTO importer.repository_plates VALUES (1, 3, 'plate');
INSERT INTO importer.repository_plates VALUES (2, 11, 'plate');
INSERT INTO importer.repository_prefixes VALUES (1, 'ada_1/2026-11/25/08-03-15.276');
INSERT INTO importer.repository_prefixes VALUES (2, 'ada_1/2026-11/25/08-03-15.301');
INSERT INTO importer.repository_prefixes VALUES (3, 'ada_1/2026-11/25/08-03-15.384');
INSERT INTO importer.repository_prefixes VALUES (4, 'ada_1/2026-11/25/08-03-16.416');
INSERT INTO importer.repository_prefixes VALUES (5, 'ada_1/2026-11/25/08-03-17.574');
INSERT INTO importer.repository_prefixes VALUES (6, 'ada_1/2026-11/25/08-03-17.597');
INSERT INTO importer.repository_prefixes VALUES (7, 'ada_1/2026-11/25/08-03-20.067');
INSERT INTO importer.repository_prefixes VALUES (8, 'ada_1/2026-11/25/08-03-17.923');
INSERT INTO importer.repository_users VALUES (1, 'ada');
INSERT INTO importer.requests VALUES ('dcc3f597-34da-4d4f-ab16-27473aa33ae5', '{"stain": "DAPI"}', '');
INSERT INTO importer.requests VALUES ('97142f17-e347-4c8e-91d0-b8f1d5e456fd', '{"stain": "DAPI"}', '');
INSERT INTO importer.requests VALUES ('46f8bbe5-814c-485d-ab7a-3f52fa8ba198', '{"stain": "DAPI"}', '');
INSERT INTO importer.river_job VALUES (1, 'completed', 1, 5, '2026-11-25 08:03:15.268521+00', '2026-11-25 08:03:15.260391+00', '2026-11-25 08:03:15.282587+00', '2026-11-25 08:03:15.260391+00', 1, '{"uuid": "completed", "attempt": 1}', '{host-1-465fe10f}', NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (2, 'completed', 1, 5, '2026-11-25 08:03:15.299453+00', '2026-11-25 08:03:15.294511+00', '2026-11-25 08:03:15.303628+00', '2026-11-25 08:03:15.294511+00', 1, '{"uuid": "plate", "attempt": 1}', '{host-1-465fe10f}', NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (3, 'completed', 1, 5, '2026-11-25 08:03:15.325309+00', '2026-11-25 08:03:15.324207+00', '2026-11-25 08:03:15.333202+00', '2026-11-25 08:03:15.324207+00', 1, '{"uuid": "failed", "attempt": 1}', '{host-1-465fe10f}', NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (4, 'completed', 1, 5, '2026-11-25 08:03:15.353725+00', '2026-11-25 08:03:15.352722+00', '2026-11-25 08:03:15.355664+00', '2026-11-25 08:03:15.352722+00', 1, '{"uuid": "garbled", "attempt": 1}', '{host-1-465fe10f}', NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (5, 'completed', 1, 5, '2026-11-25 08:03:15.383175+00', '2026-11-25 08:03:15.382134+00', '2026-11-25 08:03:15.386815+00', '2026-11-25 08:03:15.382134+00', 1, '{"uuid": "again", "attempt": 1}', '{host-1-465fe10f}', NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (6, 'completed', 1, 5, '2026-11-25 08:03:16.412368+00', '2026-11-25 08:03:16.410965+00', '2026-11-25 08:03:16.420305+00', '2026-11-25 08:03:16.410965+00', 1, '{"uuid": "1caea63f-4b92-4014-94ca-bc27a76a704d", "attempt": 1}', '{host-1-465fe10f}', NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (7, 'completed', 1, 5, '2026-11-25 08:03:17.571247+00', '2026-11-25 08:03:17.566794+00', '2026-11-25 08:03:17.579919+00', '2026-11-25 08:03:17.566794+00', 1, '{"uuid": "dcc3f597-34da-4d4f-ab16-27473aa33ae5", "attempt": 1}', '{host-1-465fe10f}', NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (8, 'completed', 1, 5, '2026-11-25 08:03:17.589372+00', '2026-11-25 08:03:17.578876+00', '2026-11-25 08:03:17.600577+00', '2026-11-25 08:03:17.578876+00', 1, '{"uuid": "97142f17-e347-4c8e-91d0-b8f1d5e456fd", "attempt": 1}', '{host-1-465fe10f}', NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (9, 'completed', 1, 5, '2026-11-25 08:03:17.678121+00', '2026-11-25 08:03:17.67617+00', '2026-11-25 08:03:17.683042+00', '2026-11-25 08:03:17.67617+00', 1, '{"uuid": "again", "attempt": 2}', '{host-1-465fe10f}', NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (10, 'running', 1, 5, '2026-11-25 08:03:17.920401+00', '2026-11-25 08:03:17.919278+00', NULL, '2026-11-25 08:03:17.919278+00', 1, '{"uuid": "running", "attempt": 1}', '{host-1-465fe10f}', NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (11, 'running', 1, 5, '2026-11-25 08:03:20.065158+00', '2026-11-25 08:03:20.064163+00', NULL, '2026-11-25 08:03:20.064163+00', 1, '{"uuid": "46f8bbe5-814c-485d-ab7a-3f52fa8ba198", "attempt": 1}', '{host-1-465fe10f}', NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (12, 'available', 0, 5, NULL, '2026-11-25 08:03:20.229912+00', NULL, '2026-11-25 08:03:20.229912+00', 1, '{"uuid": "waiting-1", "attempt": 1}', NULL, NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (13, 'available', 0, 5, NULL, '2026-11-25 08:03:20.258017+00', NULL, '2026-11-25 08:03:20.258017+00', 1, '{"uuid": "waiting-2", "attempt": 1}', NULL, NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (14, 'available', 0, 5, NULL, '2026-11-25 08:03:20.286339+00', NULL, '2026-11-25 08:03:20.286339+00', 1, '{"uuid": "waiting-3", "attempt": 1}', NULL, NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (15, 'available', 0, 5, NULL, '2026-11-25 08:03:20.312767+00', NULL, '2026-11-25 08:03:20.312767+00', 1, '{"uuid": "waiting-4", "attempt": 1}', NULL, NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (16, 'available', 0, 5, NULL, '2026-11-25 08:03:20.339526+00', NULL, '2026-11-25 08:03:20.339526+00', 1, '{"uuid": "waiting-5", "attempt": 1}', NULL, NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_job VALUES (17, 'available', 0, 5, NULL, '2026-11-25 08:03:20.367204+00', NULL, '2026-11-25 08:03:20.367204+00', 1, '{"uuid": "waiting-6", "attempt": 1}', NULL, NULL, 'order', '{}', 'default', '{}', NULL, NULL);
INSERT INTO importer.river_leader VALUES ('2026-11-25 08:03:15.15969+00', '2026-11-25 08:03:35.162199+00', 'host-1-465fe10f', 'default');
INSERT INTO importer.river_migration VALUES ('main', 1, '2026-11-25 08:03:15.116988+00');
INSERT INTO importer.river_migration VALUES ('main', 2, '2026-11-25 08:03:15.119074+00');
INSERT INTO importer.river_migration VALUES ('main', 3, '2026-11-25 08:03:15.123999+00');
INSERT INTO importer.river_migration VALUES ('main', 4, '2026-11-25 08:03:15.124857+00');
INSERT INTO importer.river_migration VALUES ('main', 5, '2026-11-25 08:03:15.127366+00');
INSERT INTO importer.river_migration VALUES ('main', 6, '2026-11-25 08:03:15.132979+00');
INSERT INTO importer.river_migration VALUES ('main', 7, '2026-11-25 08:03:15.134508+00');
INSERT INTO importer.river_migration VALUES ('main', 8, '2026-11-25 08:03:15.137827+00');
INSERT INTO importer.river_queue VALUES ('default', '2026-11-25 08:03:15.162043+00', '{}', NULL, '2026-11-25 08:03:15.162043+00');
INSERT INTO importer.schema_version VALUES (1, 0, true, '2026-11-25 08:03:15.079304');
INSERT INTO importer.schema_version VALUES (2, 1, true, '2026-11-25 08:03:15.086548');
INSERT INTO importer.schema_version VALUES (3, 2, true, '2026-11-25 08:03:15.094647');
INSERT INTO importer.schema_version VALUES (4, 3, true, '2026-11-25 08:03:15.100953');
INSERT INTO importer.schema_version VALUES (5, 4, true, '2026-11-25 08:03:15.105337');
INSERT INTO importer.schema_version VALUES (6, 5, true, '2026-11-25 08:03:15.114095');
INSERT INTO public.alembic_version_omeroadi VALUES ('92e8f9e637a1');
INSERT INTO public.imports VALUES (1, 'Demo', 'ada', '151', 'Dataset', 'Import Pending', 'completed', '2026-11-25 08:03:15.255042+00', '["/tmp/data/a.tif", "/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (2, 'Demo', 'ada', '151', 'Dataset', 'Import Started', 'completed', '2026-11-25 08:03:15.274819+00', '["/tmp/data/a.tif", "/tmp/data/b.tif"]', '["a.tif", "b.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (3, 'Demo', 'ada', '151', 'Dataset', 'Import Completed', 'completed', '2026-11-25 08:03:15.282301+00', '["/tmp/data/a.tif", "/tmp/data/b.tif"]', '["a.tif", "b.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (4, 'Demo', 'ada', '151', 'Screen', 'Import Pending', 'plate', '2026-11-25 08:03:15.292307+00', '["/tmp/data/plate.ome.zarr"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (5, 'Demo', 'ada', '151', 'Screen', 'Import Started', 'plate', '2026-11-25 08:03:15.300873+00', '["/tmp/data/plate.ome.zarr"]', '["plate.ome.zarr"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (6, 'Demo', 'ada', '151', 'Screen', 'Import Completed', 'plate', '2026-11-25 08:03:15.303425+00', '["/tmp/data/plate.ome.zarr"]', '["plate.ome.zarr"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (7, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'failed', '2026-11-25 08:03:15.322176+00', '["/tmp/data/a.tif", "/tmp/data/empty.tif", "/tmp/data/none.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (8, 'Demo', 'bob', '151', 'Dataset', 'Import Started', 'failed', '2026-11-25 08:03:15.331892+00', '["/tmp/data/a.tif", "/tmp/data/empty.tif", "/tmp/data/none.tif"]', '["a.tif", "...", "none.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (9, 'Demo', 'bob', '151', 'Dataset', 'Import Failed', 'failed', '2026-11-25 08:03:15.332991+00', '["/tmp/data/a.tif", "/tmp/data/empty.tif", "/tmp/data/none.tif"]', '["a.tif", "...", "none.tif"]', NULL, '2 of 3 files cannot be imported: The file "/tmp/data/empty.tif" is empty.', NULL);
INSERT INTO public.imports VALUES (10, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'garbled', '2026-11-25 08:03:15.350706+00', 'a.tif', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (11, 'Demo', 'bob', '151', 'Dataset', 'Import Started', 'garbled', '2026-11-25 08:03:15.355001+00', 'a.tif', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (12, 'Demo', 'bob', '151', 'Dataset', 'Import Failed', 'garbled', '2026-11-25 08:03:15.35555+00', 'a.tif', NULL, NULL, 'The order''s files "a.tif" are not JSON; expected a JSON list of paths such as ["/data/a.tif"].', NULL);
INSERT INTO public.imports VALUES (16, 'Demo', 'ada', '1', 'Dataset', 'Import Pending', '1caea63f-4b92-4014-94ca-bc27a76a704d', '2026-11-25 08:03:16.40726+00', '["/tmp/data/Demo/ada/inbox/Retina/copy.tif", "/tmp/data/Demo/ada/inbox/Retina/dropped.tif"]', '["copy.tif", "dropped.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (17, 'Demo', 'ada', '1', 'Dataset', 'Import Started', '1caea63f-4b92-4014-94ca-bc27a76a704d', '2026-11-25 08:03:16.415606+00', '["/tmp/data/Demo/ada/inbox/Retina/copy.tif", "/tmp/data/Demo/ada/inbox/Retina/dropped.tif"]', '["copy.tif", "dropped.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (18, 'Demo', 'ada', '1', 'Dataset', 'Import Completed', '1caea63f-4b92-4014-94ca-bc27a76a704d', '2026-11-25 08:03:16.420052+00', '["/tmp/data/Demo/ada/inbox/Retina/copy.tif", "/tmp/data/Demo/ada/inbox/Retina/dropped.tif"]', '["copy.tif", "dropped.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (19, 'Demo', 'ada', '2', 'Dataset', 'Import Pending', 'dcc3f597-34da-4d4f-ab16-27473aa33ae5', '2026-11-25 08:03:17.563347+00', '["/tmp/data/Demo/ada/orders/done/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (20, 'Demo', 'ada', '2', 'Dataset', 'Import Started', 'dcc3f597-34da-4d4f-ab16-27473aa33ae5', '2026-11-25 08:03:17.573392+00', '["/tmp/data/Demo/ada/orders/done/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (21, 'Demo', 'ada', '2', 'Dataset', 'Import Pending', '97142f17-e347-4c8e-91d0-b8f1d5e456fd', '2026-11-25 08:03:17.577105+00', '["/tmp/data/Demo/ada/orders/due/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (22, 'Demo', 'ada', '2', 'Dataset', 'Import Completed', 'dcc3f597-34da-4d4f-ab16-27473aa33ae5', '2026-11-25 08:03:17.579281+00', '["/tmp/data/Demo/ada/orders/done/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (23, 'Demo', 'ada', '2', 'Dataset', 'Import Started', '97142f17-e347-4c8e-91d0-b8f1d5e456fd', '2026-11-25 08:03:17.595693+00', '["/tmp/data/Demo/ada/orders/due/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (24, 'Demo', 'ada', '2', 'Dataset', 'Import Completed', '97142f17-e347-4c8e-91d0-b8f1d5e456fd', '2026-11-25 08:03:17.600078+00', '["/tmp/data/Demo/ada/orders/due/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (13, 'Demo', 'ada', '151', 'Dataset', 'Import Pending', 'again', '2026-11-25 08:03:15.3798+00', '["/tmp/data/a.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (14, 'Demo', 'ada', '151', 'Dataset', 'Import Pending', 'again', '2026-11-25 08:03:15.384542+00', '["/tmp/data/a.tif"]', '["a.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (15, 'Demo', 'ada', '151', 'Dataset', 'Import Pending', 'again', '2026-11-25 08:03:15.38668+00', '["/tmp/data/a.tif"]', '["a.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (25, 'Demo', 'ada', '151', 'Dataset', 'Import Started', 'again', '2026-11-25 08:03:17.682359+00', '["/tmp/data/a.tif"]', '["a.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (26, 'Demo', 'ada', '151', 'Dataset', 'Import Completed', 'again', '2026-11-25 08:03:17.682928+00', '["/tmp/data/a.tif"]', '["a.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (27, 'Demo', 'ada', '151', 'Screen', 'Import Pending', 'running', '2026-11-25 08:03:17.916528+00', '["/tmp/data/a.tif", "/tmp/data/plate.ome.zarr"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (29, 'Demo', 'ada', '2', 'Dataset', 'Import Pending', '46f8bbe5-814c-485d-ab7a-3f52fa8ba198', '2026-11-25 08:03:20.061793+00', '["/tmp/data/Demo/ada/orders/running/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (30, 'Demo', 'ada', '2', 'Dataset', 'Import Started', '46f8bbe5-814c-485d-ab7a-3f52fa8ba198', '2026-11-25 08:03:20.066626+00', '["/tmp/data/Demo/ada/orders/running/x.tif"]', '["x.tif"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (28, 'Demo', 'ada', '151', 'Screen', 'Import Pending', 'running', '2026-11-25 08:03:17.922609+00', '["/tmp/data/a.tif", "/tmp/data/plate.ome.zarr"]', '["a.tif", "plate.ome.zarr"]', NULL, NULL, NULL);
INSERT INTO public.imports VALUES (31, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'waiting-1', '2026-11-25 08:03:20.227409+00', '["/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (32, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'waiting-2', '2026-11-25 08:03:20.255234+00', '["/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (33, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'waiting-3', '2026-11-25 08:03:20.28425+00', '["/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (34, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'waiting-4', '2026-11-25 08:03:20.310902+00', '["/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (35, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'waiting-5', '2026-11-25 08:03:20.337391+00', '["/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (36, 'Demo', 'bob', '151', 'Dataset', 'Import Pending', 'waiting-6', '2026-11-25 08:03:20.365109+00', '["/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
INSERT INTO public.imports VALUES (37, 'Demo', 'ada', '151', 'Dataset', 'Import Pending', 'waiting-7', '2026-11-25 08:03:22.466527+00', '["/tmp/data/a.tif", "/tmp/data/b.tif"]', NULL, NULL, NULL, NULL);
SELECT pg_catalog.setval('importer.inbox_id_seq', 21, true);
SELECT pg_catalog.setval('importer.reports_id_seq', 9, true);
SELECT pg_catalog.setval('importer.repository_containers_id_seq', 2, true);
SELECT pg_catalog.setval('importer.repository_filesets_id_seq', 11, true);
SELECT pg_catalog.setval('importer.repository_images_id_seq', 13, true);
SELECT pg_catalog.setval('importer.repository_plates_id_seq', 2, true);
SELECT pg_catalog.setval('importer.repository_prefixes_id_seq', 8, true);
SELECT pg_catalog.setval('importer.repository_users_id_seq', 1, true);
SELECT pg_catalog.setval('importer.river_job_id_seq', 17, true);
SELECT pg_catalog.setval('importer.river_notification_id_seq', 1, false);
SELECT pg_catalog.setval('importer.schema_version_id_seq', 6, true);
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
ALTER TABLE ONLY importer.river_job
    ADD CONSTRAINT river_job_pkey PRIMARY KEY (id);
ALTER TABLE ONLY importer.river_leader
    ADD CONSTRAINT river_leader_pkey PRIMARY KEY (name);
ALTER TABLE ONLY importer.river_migration
    ADD CONSTRAINT river_migration_pkey1 PRIMARY KEY (line, version);
ALTER TABLE ONLY importer.river_notification
    ADD CONSTRAINT river_notification_pkey PRIMARY KEY (id);
ALTER TABLE ONLY importer.river_queue
    ADD CONSTRAINT river_queue_pkey PRIMARY KEY (name);
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
CREATE INDEX inbox_uuid ON importer.inbox USING btree (uuid);
CREATE INDEX orders_active ON importer.orders USING btree (uuid) WHERE (state = ANY (ARRAY['queued'::text, 'running'::text]));
CREATE INDEX orders_queued_at ON importer.orders USING btree (queued_at);
CREATE INDEX reports_due_at ON importer.reports USING btree (due_at);
CREATE INDEX repository_images_fileset ON importer.repository_images USING btree (fileset_id);
CREATE INDEX repository_plates_fileset ON importer.repository_plates USING btree (fileset_id);
CREATE INDEX river_job_args_index ON importer.river_job USING gin (args);
CREATE INDEX river_job_kind ON importer.river_job USING btree (kind);
CREATE INDEX river_job_metadata_index ON importer.river_job USING gin (metadata);
CREATE INDEX river_job_prioritized_fetching_index ON importer.river_job USING btree (state, queue, priority, scheduled_at, id);
CREATE INDEX river_job_state_and_finalized_at_index ON importer.river_job USING btree (state, finalized_at) WHERE (finalized_at IS NOT NULL);
CREATE UNIQUE INDEX river_job_unique_idx ON importer.river_job USING btree (unique_key) WHERE ((unique_key IS NOT NULL) AND (unique_states IS NOT NULL) AND importer.river_job_state_in_bitmask(unique_states, state));
CREATE INDEX river_notification_created_at_idx ON importer.river_notification USING btree (created_at);
CREATE INDEX river_notification_topic_id_idx ON importer.river_notification USING btree (topic, id);
CREATE INDEX imports_ix_uuid_timestamp ON public.imports USING btree (uuid, "timestamp");
CREATE INDEX ix_imports_user_name ON public.imports USING btree (user_name);
CREATE INDEX ix_imports_uuid ON public.imports USING btree (uuid);
CREATE TRIGGER importer_announce_pending AFTER INSERT OR UPDATE OF stage ON public.imports FOR EACH ROW WHEN (((new.stage)::text = 'Import Pending'::text)) EXECUTE FUNCTION importer.announce_pending();
ALTER TABLE public.imports ENABLE ALWAYS TRIGGER importer_announce_pending;
ALTER TABLE ONLY importer.files
    ADD CONSTRAINT files_order_uuid_fkey FOREIGN KEY (order_uuid) REFERENCES importer.orders(uuid) ON DELETE CASCADE;
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
