-- The first thing after the lock: the time that decides, which life of the database this is, and where the journal ends.
SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint,
       floor(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint,
       (SELECT coalesce(max(seq), 0) FROM journal)
