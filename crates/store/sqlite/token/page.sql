-- A token is shown to who covers all of its scopes.
SELECT id, label, owner, groups, role, scopes, queues, agent, expires, last_used, revoked
FROM token
WHERE id < ?2
  AND (?1 IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(token.scopes) WHERE value NOT IN (SELECT value FROM json_each(?1))))
ORDER BY id DESC
LIMIT ?3 OFFSET ?4
