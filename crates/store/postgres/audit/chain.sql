SELECT chain, seq, time, actor, action, target, result, severity, client, request_id, detail, prev_hash, hash
FROM audit
WHERE chain = $1 AND seq > $2
ORDER BY seq
LIMIT $3
