-- The newest decision that people or the clock have made at a stage; who was cut off in between decided nothing.
SELECT g.id, g.scope, s.name, g.state, g.subject, g.change, g.record, g.opened_at, g.run, g.stage, g.attempt, g.item,
       g.item_attempt, g.artifact, g.origin, g.weight
FROM gate g
JOIN scope s ON s.id = g.scope
WHERE g.run = ?1 AND g.stage = ?2 AND g.item IS NULL
  AND g.state IN ('approved', 'rejected', 'auto_approved', 'expired')
ORDER BY g.attempt DESC, g.id DESC
LIMIT 1
