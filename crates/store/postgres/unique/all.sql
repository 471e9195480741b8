-- A page.
SELECT task, hash, until FROM unique_key WHERE task > $1 ORDER BY task LIMIT $2
