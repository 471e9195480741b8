CREATE TABLE IF NOT EXISTS migration (
    version    bigint PRIMARY KEY,
    name       text   NOT NULL,
    applied_at bigint NOT NULL
);
