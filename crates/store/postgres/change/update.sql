UPDATE change
SET state = $3, gate = $4, subject = $5, tier = $6, record = $7, updated_at = $8
WHERE id = $1 AND state = $2
