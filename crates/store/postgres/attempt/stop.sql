UPDATE attempt SET stop = $3 WHERE task = $1 AND generation = $2 AND stop IN (0, 1, 3)
