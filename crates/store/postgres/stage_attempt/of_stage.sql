SELECT a.stage, a.attempt, a.uses, a.thing, a.state, a.why, a.error, a.context, a.began_at, a.ended_at
FROM stage_attempt a WHERE a.run = $1 AND a.stage = $2 AND a.attempt < $3 ORDER BY a.attempt DESC LIMIT $4
