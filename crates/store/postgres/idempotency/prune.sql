-- A part of a past window at a time: a busy day's answers are many.
DELETE FROM idempotency
WHERE (day, key) IN (SELECT day, key FROM idempotency WHERE day < $1 LIMIT $2)
