INSERT INTO scope_seq (scope, part, last_seq) VALUES (?1, ?2, ?3)
ON CONFLICT (scope, part) DO UPDATE SET last_seq = excluded.last_seq
