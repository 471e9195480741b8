SELECT o.name, o.kind, o.artifact, o.value, a.sha256, a.size, a.media_type, a.name
FROM run_output o
LEFT JOIN artifact a ON a.id = o.artifact
WHERE o.run = $1 AND o.stage = $2 AND o.attempt = $3 AND o.item = $4 AND o.name = $5
