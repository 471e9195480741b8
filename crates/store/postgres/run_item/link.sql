-- Many at once: each parameter is a list, one value a row.
UPDATE run_item AS t
SET thing = n.thing
FROM (SELECT unnest($1::bigint[]) AS run, unnest($2::bigint[]) AS stage, unnest($3::bigint[]) AS attempt,
             unnest($4::bigint[]) AS item, unnest($5::bigint[]) AS tries, unnest($6::bigint[]) AS thing) AS n
WHERE t.run = n.run AND t.stage = n.stage AND t.attempt = n.attempt AND t.item = n.item AND t.tries = n.tries AND t.state IN (1, 2, 3) AND t.thing IS NULL
