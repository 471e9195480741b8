SELECT count(*) FROM (
SELECT 1 FROM audit
WHERE (?1 IS NULL OR chain IN (SELECT value FROM json_each(?1)))
  AND (?2 IS NULL OR action = ?2)
  AND (?3 IS NULL OR actor = ?3)
  AND (?4 IS NULL OR target = ?4)
  AND (?5 IS NULL OR time >= ?5)
  AND (?6 IS NULL OR time < ?6)
LIMIT ?7)
