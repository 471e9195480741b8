SELECT w.run, w.stage, w.attempt, w.item, w.item_attempt, w.scope, s.name, w.type, w.subject, w.seen_seq, r.began_seq
FROM run_wait w
JOIN run r ON r.id = w.run
JOIN scope s ON s.id = w.scope
WHERE w.run = $1 AND w.stage = $2 AND w.attempt = $3 AND w.item = $4 AND w.item_attempt = $5
