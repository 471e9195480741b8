-- The newest of each noun that has ids, below a key. Each part has its own limit: no search reads a whole table.
SELECT * FROM (
    SELECT 5 AS noun, t.id AS id, s.name AS scope, q.name AS queue, t.state::text AS state, t.title AS title,
           t.kind AS more
    FROM (SELECT id, scope, queue, state, title, kind FROM task WHERE id < $1 ORDER BY id DESC LIMIT $2) AS t
    JOIN scope s ON s.id = t.scope
    JOIN queue q ON q.id = t.queue
) AS tasks
UNION ALL
SELECT * FROM (
    SELECT 6, c.id, s.name, NULL::text, c.state::text, COALESCE(t.title, ''), c.repository
    FROM (SELECT id, scope, state, task, repository FROM change WHERE id < $1 ORDER BY id DESC LIMIT $2) AS c
    JOIN scope s ON s.id = c.scope
    LEFT JOIN task t ON t.id = c.task
) AS changes
UNION ALL
SELECT * FROM (
    SELECT 7, g.id, s.name, NULL::text, g.state,
           COALESCE((SELECT t.title FROM change c JOIN task t ON t.id = c.task WHERE c.id = g.change),
                    (SELECT COALESCE(r.title, r.pipeline) FROM run r WHERE r.id = g.run), ''),
           COALESCE((SELECT c.repository FROM change c WHERE c.id = g.change),
                    (SELECT r.pipeline FROM run r WHERE r.id = g.run))
    FROM (SELECT id, scope, state, change, run FROM gate WHERE id < $1 ORDER BY id DESC LIMIT $2) AS g
    JOIN scope s ON s.id = g.scope
) AS gates
UNION ALL
SELECT * FROM (
    SELECT 8, d.id, s.name, q.name, d.status::text, t.title, d.kind || ' ' || substr(d.error, 1, 1000)
    FROM (SELECT id, scope, status, task, kind, error FROM dead_letter WHERE id < $1 ORDER BY id DESC LIMIT $2) AS d
    JOIN scope s ON s.id = d.scope
    JOIN task t ON t.id = d.task
    JOIN queue q ON q.id = t.queue
) AS letters
UNION ALL
SELECT * FROM (
    SELECT 9, a.id, s.name, NULL::text, NULL::text, COALESCE(a.name, ''), a.media_type || ' ' || a.sha256
    FROM (SELECT id, scope, name, media_type, sha256 FROM artifact WHERE id < $1 ORDER BY id DESC LIMIT $2) AS a
    JOIN scope s ON s.id = a.scope
) AS artifacts
UNION ALL
SELECT * FROM (
    SELECT 10, r.id, s.name, NULL::text, r.state::text, COALESCE(r.title, r.pipeline, ''),
           COALESCE(r.pipeline, '') || ' ' || COALESCE(substr(r.error, 1, 1000), '')
    FROM (SELECT id, scope, state, title, pipeline, error FROM run WHERE id < $1 ORDER BY id DESC LIMIT $2) AS r
    JOIN scope s ON s.id = r.scope
) AS runs
