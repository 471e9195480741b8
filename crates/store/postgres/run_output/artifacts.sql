SELECT o.stage, o.attempt, o.item, o.name, a.id, a.sha256, a.size, a.media_type, a.name
FROM run_output o
JOIN artifact a ON a.id = o.artifact
WHERE o.run = $1 AND (o.stage, o.attempt, o.item, o.name) > ($2, $3, $4, $5)
ORDER BY o.stage, o.attempt, o.item, o.name
LIMIT $6 OFFSET $7
