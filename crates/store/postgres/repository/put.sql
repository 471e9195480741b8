INSERT INTO repository (scope, name, url, path, branch, agent, settings, state, candidate, probe, head, rules, error,
                        created_at, probed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (scope, name) DO UPDATE
SET url = excluded.url, path = excluded.path, branch = excluded.branch, agent = excluded.agent,
    settings = excluded.settings, state = excluded.state, candidate = excluded.candidate, probe = excluded.probe,
    head = excluded.head, rules = excluded.rules, error = excluded.error, probed_at = excluded.probed_at
