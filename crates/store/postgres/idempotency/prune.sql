-- A part of a past window at a time: a busy day's answers are many. By lists, so that the plan goes through the key for each.
DELETE FROM idempotency AS i
USING unnest(ARRAY(SELECT day FROM idempotency WHERE day < $1 ORDER BY day, key LIMIT $2),
             ARRAY(SELECT key FROM idempotency WHERE day < $1 ORDER BY day, key LIMIT $2)) AS n (day, key)
WHERE i.day = n.day AND i.key = n.key
