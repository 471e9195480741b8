-- Many at once: each parameter is a list, one value a row.
UPDATE stage AS t
SET thing = n.thing, began_at = n.began_at
FROM (SELECT unnest($1::bigint[]) AS run, unnest($2::bigint[]) AS stage, unnest($3::bigint[]) AS attempt,
             unnest($4::bigint[]) AS thing, unnest($5::bigint[]) AS began_at) AS n
WHERE t.run = n.run AND t.stage = n.stage AND t.attempt = n.attempt AND t.state = 1 AND t.thing IS NULL
