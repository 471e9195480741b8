-- What bears a name, by noun, scope and name: scopes, queues, agents, repositories, templates, pipelines,
-- schedules.
SELECT noun, scope, queue, name, more FROM (
    SELECT 0 AS noun, s.name AS scope, NULL::text AS queue, s.name AS name, s.description AS more
    FROM scope s WHERE s.deleted_at IS NULL
    UNION ALL
    SELECT 1, s.name, q.name, q.name, NULL::text FROM queue q JOIN scope s ON s.id = q.scope WHERE s.deleted_at IS NULL
    UNION ALL
    SELECT 2, NULL::text, NULL::text, a.name, NULL::text FROM agent a WHERE a.deleted_at IS NULL
    UNION ALL
    SELECT 3, s.name, NULL::text, r.name, COALESCE(r.url, r.path) || ' ' || r.branch
    FROM repository r JOIN scope s ON s.id = r.scope
    UNION ALL
    SELECT 4, s.name, NULL::text, t.name, substr(t.description, 1, 1000)
    FROM template t JOIN scope s ON s.id = t.scope WHERE s.deleted_at IS NULL
    UNION ALL
    SELECT 11, s.name, NULL, p.name, NULL
    FROM pipeline p JOIN scope s ON s.id = p.scope WHERE p.deleted_at IS NULL AND s.deleted_at IS NULL
    UNION ALL
    SELECT 12, s.name, NULL, c.name, NULL FROM schedule c JOIN scope s ON s.id = c.scope WHERE s.deleted_at IS NULL
) AS named
ORDER BY noun, scope, name
LIMIT $1 OFFSET $2
