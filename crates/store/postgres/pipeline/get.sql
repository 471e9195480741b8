SELECT s.name, p.name, p.version, p.number, v.sha256, v.stages, p.published_at, a.name
FROM scope s
JOIN pipeline p ON p.scope = s.id
JOIN pipeline_version v ON v.id = p.version
JOIN actor a ON a.id = p.published_by
WHERE s.name = $1 AND p.name = $2 AND p.deleted_at IS NULL
