SELECT s.name, r.name, r.url, r.path, r.branch, r.agent, r.settings, r.state, r.candidate, r.probe, r.head, r.rules,
       r.error, r.created_at, r.probed_at
FROM repository r
JOIN scope s ON s.id = r.scope
WHERE r.scope = $1 AND r.name = $2
