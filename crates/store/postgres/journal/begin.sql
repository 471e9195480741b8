-- The first thing after the lock: the time that decides, which life of the database this is, where the journal ends and when that was
-- written; and who wrote the row that was seen last, and when, so that another history of the same length shows.
SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint,
       floor(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint,
       (SELECT coalesce(max(seq), 0) FROM journal),
       (SELECT made_at FROM journal ORDER BY seq DESC LIMIT 1),
       (SELECT made_at FROM journal WHERE seq = $1),
       (SELECT server FROM journal WHERE seq = $1)
