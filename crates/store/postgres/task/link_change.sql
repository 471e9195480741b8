UPDATE task SET change = $2 WHERE id = $1
