-- Many at once: each parameter is a list, one value a row.
DELETE FROM run_wait AS t
USING (SELECT unnest($1::bigint[]) AS run, unnest($2::bigint[]) AS stage, unnest($3::bigint[]) AS attempt,
              unnest($4::bigint[]) AS item, unnest($5::bigint[]) AS item_attempt) AS n
WHERE t.run = n.run AND t.stage = n.stage AND t.attempt = n.attempt AND t.item = n.item AND t.item_attempt = n.item_attempt
