INSERT INTO change_check (change, task, record) VALUES ($1, $2, $3)
ON CONFLICT (change, task) DO UPDATE SET record = excluded.record
