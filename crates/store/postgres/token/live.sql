SELECT id, label, owner, groups, role, scopes, queues, agent, expires, last_used, revoked, digest FROM token WHERE ended_at IS NULL ORDER BY id
