-- Of each stage those of the attempt that it is in, without those of items and without values.
SELECT o.name, o.kind, o.artifact, NULL::text, a.sha256, a.size, a.media_type, a.name, o.stage
FROM stage s
JOIN run_output o ON o.run = s.run AND o.stage = s.stage AND o.attempt = s.attempt AND o.item = -1
LEFT JOIN artifact a ON a.id = o.artifact
WHERE s.run = $1
ORDER BY o.stage, o.name
