DELETE FROM template WHERE scope = $1 AND name = $2
