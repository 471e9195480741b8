UPDATE attempt SET payload = $2 WHERE task = $1 AND payload IS NULL
