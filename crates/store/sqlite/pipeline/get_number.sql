SELECT s.name, h.name, h.version, h.number, v.sha256, v.stages, h.published_at, a.name
FROM scope s
JOIN pipeline_history h ON h.scope = s.id
JOIN pipeline_version v ON v.id = h.version
JOIN actor a ON a.id = h.published_by
WHERE s.name = ?1 AND h.name = ?2 AND h.number = ?3
