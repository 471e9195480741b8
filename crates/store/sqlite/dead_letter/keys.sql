SELECT id FROM dead_letter
WHERE (?1 IS NULL OR scope IN (SELECT id FROM scope WHERE name IN (SELECT value FROM json_each(?1))))
  AND (?2 IS NULL OR status = ?2)
  AND (?3 IS NULL OR category = ?3)
  AND (?4 IS NULL OR fingerprint = ?4)
ORDER BY id
LIMIT ?5
