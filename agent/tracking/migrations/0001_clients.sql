-- +goose Up

-- The tables may be absent, made by the web plugin (an older shape, without a
-- version table), or a production database with history.
CREATE TABLE IF NOT EXISTS public.imports_preprocessing (
    id                SERIAL PRIMARY KEY,
    container         VARCHAR NOT NULL,
    input_file        VARCHAR NOT NULL,
    output_folder     VARCHAR NOT NULL,
    alt_output_folder VARCHAR,
    extra_params      JSON
);

CREATE TABLE IF NOT EXISTS public.imports (
    id               SERIAL PRIMARY KEY,
    group_name       VARCHAR NOT NULL,
    user_name        VARCHAR NOT NULL,
    destination_id   VARCHAR NOT NULL,
    destination_type VARCHAR NOT NULL,
    stage            VARCHAR NOT NULL,
    uuid             VARCHAR(36) NOT NULL,
    "timestamp"      TIMESTAMPTZ,
    files            TEXT NOT NULL,
    file_names       TEXT
);
ALTER TABLE public.imports ADD COLUMN IF NOT EXISTS file_names TEXT;
ALTER TABLE public.imports ADD COLUMN IF NOT EXISTS import_options TEXT;
ALTER TABLE public.imports ADD COLUMN IF NOT EXISTS description TEXT;
ALTER TABLE public.imports ADD COLUMN IF NOT EXISTS preprocessing_id INTEGER
    REFERENCES public.imports_preprocessing (id);
ALTER TABLE public.imports_preprocessing ADD COLUMN IF NOT EXISTS extra_params JSON;

-- Without a default, a client that leaves the column out stores NULL, and
-- dashboards sort such a row before every later stage of its order.
ALTER TABLE public.imports ALTER COLUMN "timestamp" SET DEFAULT clock_timestamp();

CREATE INDEX IF NOT EXISTS ix_imports_user_name ON public.imports (user_name);
CREATE INDEX IF NOT EXISTS ix_imports_uuid ON public.imports (uuid);
CREATE INDEX IF NOT EXISTS imports_ix_uuid_timestamp ON public.imports (uuid, "timestamp");

-- Alembic, run by a Python importer on the same database, repeats what its
-- version table does not name. A version that we do not know stays.
CREATE TABLE IF NOT EXISTS public.alembic_version_omeroadi (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_omeroadi_pkc PRIMARY KEY (version_num)
);
UPDATE public.alembic_version_omeroadi SET version_num = '92e8f9e637a1' WHERE version_num = '78d3d6d84aec';
INSERT INTO public.alembic_version_omeroadi (version_num)
SELECT '92e8f9e637a1' WHERE NOT EXISTS (SELECT FROM public.alembic_version_omeroadi);
