-- The attempt that ends lies in its stage's row, where it has been written; it is copied before another takes its place.
-- Many at once: each parameter is a list, one value a row.
INSERT INTO stage_attempt (run, stage, attempt, uses, thing, state, why, error, context, began_at, ended_at)
SELECT n.run, n.stage, n.attempt, n.uses, t.thing, n.state, n.why, n.error, n.context, coalesce(t.began_at, n.at), n.at
FROM (SELECT unnest($1::bigint[]) AS run, unnest($2::bigint[]) AS stage, unnest($3::bigint[]) AS attempt,
             unnest($4::smallint[]) AS uses, unnest($5::smallint[]) AS state, unnest($6::text[]) AS why,
             unnest($7::text[]) AS error, unnest($8::text[]) AS context, unnest($9::bigint[]) AS at) AS n
LEFT JOIN stage AS t ON t.run = n.run AND t.stage = n.stage AND t.attempt = n.attempt
ON CONFLICT (run, stage, attempt) DO UPDATE SET state = excluded.state, why = excluded.why, error = excluded.error,
    context = excluded.context, ended_at = excluded.ended_at
