-- With those of its items. A stop that is awaited goes on.
-- Many at once: each parameter is a list, one value a row.
DELETE FROM run_timer AS t
USING (SELECT unnest($1::bigint[]) AS run, unnest($2::bigint[]) AS stage, unnest($3::bigint[]) AS attempt) AS n
WHERE t.run = n.run AND t.stage = n.stage AND t.attempt = n.attempt AND t.what < 3
