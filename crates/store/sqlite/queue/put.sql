INSERT INTO queue (scope, name, settings) VALUES (?1, ?2, ?3)
ON CONFLICT (scope, name) DO UPDATE SET settings = excluded.settings
RETURNING id
