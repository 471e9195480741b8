-- Many at once: each parameter is a list, one value a row.
UPDATE task AS t
SET state = n.state, run_at = n.run_at, waits_for = n.waits_for, ready_at = coalesce(n.ready_at, t.ready_at),
    ended_at = n.ended_at, reason = n.reason
FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::smallint[], $5::bigint[], $6::bigint[], $7::bigint[],
            $8::bigint[], $9::text[])
     AS n (id, was, generation, state, run_at, waits_for, ready_at, ended_at, reason)
WHERE t.id = n.id AND t.state = n.was AND t.generation = n.generation
