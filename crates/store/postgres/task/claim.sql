-- Generation and lease in one statement, and only for a task that is ready (E3). Many at once: each parameter is a list,
-- one value a row; rows come back in any order.
UPDATE task AS t
SET state = 3, generation = t.generation + 1, agent = n.agent, instance = n.instance, claim = n.claim,
    lease_ms = n.lease_ms, started_at = n.started_at, settled_at = NULL, outcome = NULL, result = NULL, error = NULL,
    stop = NULL, progress = NULL, message = NULL
FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS agent, unnest($3::text[]) AS instance,
             unnest($4::bigint[]) AS claim, unnest($5::bigint[]) AS lease_ms,
             unnest($6::bigint[]) AS started_at) AS n
WHERE t.id = n.id AND t.state = 2
RETURNING t.id, t.scope, t.queue, t.lane, t.state, t.generation, t.kind, t.title, t.payload, t.priority, t.extras,
          t.created_by, t.ready_at, t.run_at, t.deadline, t.timeout_ms, t.max_attempts, t.used, t.waits_for,
          t.dependencies, t.unique_key, t.unique_for_ms, t.agent, t.instance, t.claim, t.lease_ms, t.started_at,
          t.settled_at, t.outcome, t.result, t.error, t.stop, t.progress, t.message, t.ended_at, t.reason, t.change,
          t.run
