-- A page.
SELECT id, lane, generation, agent, instance, claim, lease_ms, started_at, timeout_ms, used, NULL::smallint, kind
FROM task WHERE state = 3 AND phase = 2 AND phase <> 5 AND id > $1
UNION ALL
SELECT id, lane, generation, agent, instance, claim, lease_ms, started_at, timeout_ms, used, stop, kind
FROM task WHERE stop IN (0, 1) AND state <> 3 AND id > $1
ORDER BY 1 LIMIT $2
