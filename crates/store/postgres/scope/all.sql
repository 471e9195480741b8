SELECT id, name, description, created_at, last_seq FROM scope WHERE deleted_at IS NULL ORDER BY id
