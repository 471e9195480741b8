INSERT INTO lane (queue, terms) VALUES (?1, ?2)
ON CONFLICT (queue, terms) DO UPDATE SET terms = excluded.terms
RETURNING id
