SELECT task, hash, until FROM unique_key ORDER BY task
