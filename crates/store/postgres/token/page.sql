-- A token is shown to who covers all of its scopes.
SELECT id, label, owner, groups, role, scopes, queues, agent, expires, last_used, revoked
FROM token
WHERE id < $2
  AND ($1::text IS NULL OR NOT EXISTS (
    SELECT 1 FROM jsonb_array_elements_text(token.scopes::jsonb) AS own (value)
    WHERE own.value <> ALL (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)))))
ORDER BY id DESC
LIMIT $3 OFFSET $4
