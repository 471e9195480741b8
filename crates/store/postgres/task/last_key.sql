-- The largest key that any thing with an id may have. Acts have ids and no rows: no id is older than the event that
-- tells of it, so the next one is at least of the millisecond after the last event (a key is milliseconds × 32,768).
SELECT greatest((SELECT coalesce(max(id), 0) FROM task), (SELECT coalesce(max(id), 0) FROM gate),
           (SELECT coalesce(max(id), 0) FROM change), (SELECT coalesce(max(id), 0) FROM token),
           (SELECT coalesce(max(id), 0) FROM dead_letter), (SELECT coalesce(max(id), 0) FROM artifact),
           (SELECT coalesce(max(id), 0) FROM sign_in), (SELECT coalesce(max(id), 0) FROM run),
           (SELECT coalesce(max(id), 0) FROM pipeline_version),
           (SELECT coalesce(max((time + 1) * 32768), 0) FROM (SELECT time FROM event ORDER BY seq DESC LIMIT 1) AS newest))
