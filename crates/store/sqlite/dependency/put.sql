INSERT INTO dependency (task, depends_on) VALUES (?1, ?2) ON CONFLICT DO NOTHING
