SELECT chain, seq, time, actor, action, target, result, severity, client, request_id, detail, prev_hash, hash
FROM audit
WHERE (?1 IS NULL OR chain IN (SELECT value FROM json_each(?1)))
  AND (?2 IS NULL OR action = ?2)
  AND (?3 IS NULL OR actor = ?3)
  AND (?4 IS NULL OR target = ?4)
  AND (?5 IS NULL OR time >= ?5)
  AND (?6 IS NULL OR time < ?6)
  AND (?7 IS NULL OR (time, chain, seq) < (?7, ?8, ?9))
ORDER BY time DESC, chain DESC, seq DESC
LIMIT ?10 OFFSET ?11
