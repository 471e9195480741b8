-- Many at once: each parameter is a list, one value a row.
UPDATE task AS t
SET state = n.state, run_at = n.run_at, waits_for = n.waits_for, ready_at = coalesce(n.ready_at, t.ready_at),
    ended_at = n.ended_at, reason = n.reason
FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::smallint[]) AS was, unnest($3::bigint[]) AS generation,
             unnest($4::smallint[]) AS state, unnest($5::bigint[]) AS run_at,
             unnest($6::bigint[]) AS waits_for, unnest($7::bigint[]) AS ready_at,
             unnest($8::bigint[]) AS ended_at, unnest($9::text[]) AS reason) AS n
WHERE t.id = n.id AND t.state = n.was AND t.generation = n.generation
