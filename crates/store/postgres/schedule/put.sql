INSERT INTO schedule (scope, name, revision, timing, what, missed, overlap, paused, last_at, next_at, created_by,
                      updated_at, last)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (scope, name) DO UPDATE
SET revision = excluded.revision, timing = excluded.timing, what = excluded.what, missed = excluded.missed,
    overlap = excluded.overlap, paused = excluded.paused, last_at = excluded.last_at, next_at = excluded.next_at,
    created_by = excluded.created_by, updated_at = excluded.updated_at, last = excluded.last
