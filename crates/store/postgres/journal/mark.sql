-- Whether a transaction happened: its row says so.
SELECT 1 FROM journal WHERE seq = $1 AND server = $2 AND made_at = $3
