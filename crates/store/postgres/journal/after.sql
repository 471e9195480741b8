SELECT seq, server, made_at, steps FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2
