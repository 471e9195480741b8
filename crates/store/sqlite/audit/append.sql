INSERT INTO audit (chain, seq, time, actor, action, target, result, severity, client, request_id, detail, prev_hash, hash)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
