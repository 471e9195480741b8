-- Many at once: each parameter is a list, one value a row.
INSERT INTO rate_start (scope, key, second, starts)
SELECT scope, key, second, sum(starts)::bigint
FROM (SELECT unnest($1::bigint[]) AS scope, unnest($2::text[]) AS key, unnest($3::bigint[]) AS second,
             unnest($4::bigint[]) AS starts) AS n
GROUP BY scope, key, second
ON CONFLICT (scope, key, second) DO UPDATE SET starts = rate_start.starts + excluded.starts
