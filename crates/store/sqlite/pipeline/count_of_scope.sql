SELECT count(*) FROM pipeline WHERE scope = ?1 AND deleted_at IS NULL
