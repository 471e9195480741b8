INSERT INTO unique_key (task, hash, until) VALUES (?1, ?2, ?3) ON CONFLICT (task) DO UPDATE SET hash = excluded.hash, until = excluded.until
