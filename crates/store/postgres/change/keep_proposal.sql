INSERT INTO change_proposal (change, generation, record) VALUES ($1, $2, $3)
ON CONFLICT (change, generation) DO UPDATE SET record = excluded.record
