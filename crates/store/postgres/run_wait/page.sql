-- Those that have looked least far come first.
SELECT w.run, w.stage, w.attempt, w.item, w.item_attempt, w.scope, s.name, w.type, w.subject, w.seen_seq, r.began_seq
FROM run_wait w
JOIN run r ON r.id = w.run
JOIN scope s ON s.id = w.scope
ORDER BY w.seen_seq, w.run, w.stage, w.attempt, w.item, w.item_attempt
LIMIT $1 OFFSET $2
