SELECT id, label, owner, groups, role, scopes, queues, agent, expires, last_used, revoked FROM token WHERE id = $1
