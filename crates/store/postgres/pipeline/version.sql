SELECT id, scope, sha256, source, canonical, graph, stages, created_at FROM pipeline_version WHERE id = $1
