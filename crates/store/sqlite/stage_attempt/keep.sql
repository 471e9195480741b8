-- The attempt that ends lies in its stage's row, where it has been written; it is copied before another takes its place.
INSERT INTO stage_attempt (run, stage, attempt, uses, thing, state, why, error, context, began_at, ended_at)
VALUES (?1, ?2, ?3, ?4, (SELECT thing FROM stage WHERE run = ?1 AND stage = ?2 AND attempt = ?3), ?5, ?6, ?7, ?8,
        coalesce((SELECT began_at FROM stage WHERE run = ?1 AND stage = ?2 AND attempt = ?3), ?9), ?9)
ON CONFLICT (run, stage, attempt) DO UPDATE SET state = excluded.state, why = excluded.why, error = excluded.error,
    context = excluded.context, ended_at = excluded.ended_at
