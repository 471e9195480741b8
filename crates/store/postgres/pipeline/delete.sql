UPDATE pipeline SET deleted_at = $3 WHERE scope = $1 AND name = $2 AND deleted_at IS NULL
