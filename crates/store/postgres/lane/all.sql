SELECT id, queue, terms FROM lane ORDER BY id
