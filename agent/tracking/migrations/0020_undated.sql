-- +goose Up

-- What each beginning and end of an order looks for, and hardly ever finds.
CREATE INDEX imports_undated ON public.imports (uuid) WHERE "timestamp" IS NULL;
