SELECT version, number, deleted_at FROM pipeline WHERE scope = $1 AND name = $2
