-- Many at once: each parameter is a list, one value a row.
INSERT INTO rate_start (scope, key, second, starts)
SELECT scope, key, second, sum(starts)::bigint
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) AS n (scope, key, second, starts)
GROUP BY scope, key, second
ON CONFLICT (scope, key, second) DO UPDATE SET starts = rate_start.starts + excluded.starts
