-- On which line of time this database is: it grows with every promotion of a standby.
SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint
