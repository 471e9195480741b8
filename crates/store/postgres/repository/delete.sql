DELETE FROM repository WHERE scope = $1 AND name = $2
