-- Many at once: each parameter is a list, one value a row.
UPDATE scope AS s SET last_seq = n.last_seq
FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS last_seq) AS n
WHERE s.id = n.id
