-- Many at once: each parameter is a list, one value a row.
UPDATE run_wait AS t
SET seen_seq = n.seen_seq
FROM (SELECT unnest($1::bigint[]) AS run, unnest($2::bigint[]) AS stage, unnest($3::bigint[]) AS attempt,
             unnest($4::bigint[]) AS item, unnest($5::bigint[]) AS item_attempt, unnest($6::bigint[]) AS seen_seq) AS n
WHERE t.run = n.run AND t.stage = n.stage AND t.attempt = n.attempt AND t.item = n.item AND t.item_attempt = n.item_attempt
