INSERT INTO rate_start (scope, key, second, starts) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (scope, key, second) DO UPDATE SET starts = starts + excluded.starts
