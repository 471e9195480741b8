INSERT INTO pipeline_version (id, scope, sha256, source, canonical, graph, stages, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
