DELETE FROM schedule_start
WHERE scope = $1 AND name = $2 AND (state > 1 OR $4::bigint = 1)
  AND (revision, at) < (SELECT k.revision, k.at FROM schedule_start k WHERE k.scope = $1 AND k.name = $2
                        ORDER BY k.revision DESC, k.at DESC LIMIT 1 OFFSET $3)
