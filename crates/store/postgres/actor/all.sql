SELECT id, name FROM actor ORDER BY id
