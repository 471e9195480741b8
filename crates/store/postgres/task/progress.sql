UPDATE task SET progress = coalesce($3, progress), message = coalesce($4, message)
WHERE id = $1 AND generation = $2 AND state = 3
