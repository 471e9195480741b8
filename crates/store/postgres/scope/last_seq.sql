SELECT last_seq FROM scope WHERE id = $1
