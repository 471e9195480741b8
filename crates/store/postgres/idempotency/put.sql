INSERT INTO idempotency (day, key, body, time, status, answer) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (day, key) DO UPDATE SET body = excluded.body, time = excluded.time, status = excluded.status, answer = excluded.answer
