-- The name under which the servers of this store wake each other, one a store, as a database may hold several; and who
-- this session is, since it hears its own wake-ups too.
SELECT 'tiltyard_' || to_regclass('journal')::oid::text, pg_backend_pid()
