SELECT s.id, s.name, s.description, s.created_at,
       coalesce((SELECT q.last_seq FROM scope_seq q WHERE q.scope = s.id ORDER BY q.part DESC LIMIT 1), 0)
FROM scope s WHERE s.deleted_at IS NULL ORDER BY s.id
