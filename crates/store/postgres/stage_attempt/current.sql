-- Of each stage that of the attempt that it is in, where that has ended.
SELECT a.stage, a.attempt, a.uses, a.thing, a.state, a.why, a.error, a.context, a.began_at, a.ended_at
FROM stage s
JOIN stage_attempt a ON a.run = s.run AND a.stage = s.stage AND a.attempt = s.attempt
WHERE s.run = $1
ORDER BY a.stage
