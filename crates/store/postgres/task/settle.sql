-- Only the generation that runs may end itself (E3, D1). Many at once: each parameter is a list, one value a row.
UPDATE task AS t
SET state = n.state, outcome = n.outcome, result = n.result, error = n.error, used = n.used,
    run_at = coalesce(n.run_at, t.run_at), settled_at = n.settled_at, ready_at = coalesce(n.ready_at, t.ready_at),
    ended_at = n.ended_at, stop = n.stop, reason = n.reason
FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::smallint[], $5::text[], $6::text[], $7::bigint[],
            $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::smallint[], $13::text[])
     AS n (id, generation, state, outcome, result, error, used, run_at, settled_at, ready_at, ended_at, stop, reason)
WHERE t.id = n.id AND t.generation = n.generation AND t.state = 3
