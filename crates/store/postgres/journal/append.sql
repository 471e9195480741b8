INSERT INTO journal (seq, server, made_at, steps) VALUES ($1, $2, $3, $4)
