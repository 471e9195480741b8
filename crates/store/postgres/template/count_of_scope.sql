SELECT count(*) FROM template WHERE scope = $1
