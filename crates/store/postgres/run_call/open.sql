SELECT run, stage, attempt, item, item_attempt, request, state, tries, server, begun_at
FROM run_call WHERE state = $1 AND run >= $2
ORDER BY run, stage, attempt, item, item_attempt
LIMIT $3
