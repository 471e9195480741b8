-- A part of a past window at a time: a busy day's answers are many.
DELETE FROM idempotency
WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency WHERE day < $1 ORDER BY day, key LIMIT $2))
