-- Generation and lease in one statement, and only for a task that is ready (E3).
UPDATE task
SET state = 3, generation = generation + 1, agent = ?2, instance = ?3, claim = ?4, lease_ms = ?5, started_at = ?6,
    settled_at = NULL, outcome = NULL, result = NULL, error = NULL, stop = NULL, progress = NULL, message = NULL
WHERE id = ?1 AND state = 2
RETURNING id, scope, queue, lane, state, generation, kind, title, payload, priority, extras,
          created_by, ready_at, run_at, deadline, timeout_ms, max_attempts, used, waits_for,
          dependencies, unique_key, unique_for_ms, agent, instance, claim, lease_ms, started_at,
          settled_at, outcome, result, error, stop, progress, message, ended_at, reason, change, run
