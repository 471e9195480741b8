INSERT INTO pipeline_history (scope, name, version, number, published_at, published_by) VALUES ($1, $2, $3, $4, $5, $6)
