-- Many at once: each parameter is a list, one value a row.
UPDATE scope AS s SET last_seq = n.last_seq
FROM unnest($1::bigint[], $2::bigint[]) AS n (id, last_seq)
WHERE s.id = n.id
