UPDATE attempt SET payload = NULL WHERE task = $1
