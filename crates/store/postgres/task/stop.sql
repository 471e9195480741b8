UPDATE task SET stop = $3 WHERE id = $1 AND generation = $2 AND stop IN (0, 1, 3)
