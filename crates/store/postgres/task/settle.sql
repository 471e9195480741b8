-- Only the generation that runs may end itself (E3, D1). Many at once: each parameter is a list, one value a row.
UPDATE task AS t
SET state = n.state, outcome = n.outcome, result = n.result, error = n.error, used = n.used,
    run_at = coalesce(n.run_at, t.run_at), settled_at = n.settled_at, ready_at = coalesce(n.ready_at, t.ready_at),
    ended_at = n.ended_at, stop = n.stop, reason = n.reason
FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS generation, unnest($3::smallint[]) AS state,
             unnest($4::smallint[]) AS outcome, unnest($5::text[]) AS result, unnest($6::text[]) AS error,
             unnest($7::bigint[]) AS used, unnest($8::bigint[]) AS run_at, unnest($9::bigint[]) AS settled_at,
             unnest($10::bigint[]) AS ready_at, unnest($11::bigint[]) AS ended_at,
             unnest($12::smallint[]) AS stop, unnest($13::text[]) AS reason) AS n
WHERE t.id = n.id AND t.generation = n.generation AND t.state = 3
