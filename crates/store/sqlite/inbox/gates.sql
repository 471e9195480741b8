-- What waits after a place of the inbox: the rest with the same weight, then what weighs less; each an index read.
SELECT * FROM (
    SELECT weight, id FROM gate INDEXED BY gate_inbox
    WHERE state = 'open' AND weight = ?1 AND id > ?2
      AND (?4 IS NULL OR ?4 = CASE WHEN change IS NOT NULL THEN 2 WHEN artifact IS NULL THEN 1 ELSE 0 END)
    ORDER BY id
    LIMIT ?3
) AS rest
UNION ALL
SELECT * FROM (
    SELECT weight, id FROM gate INDEXED BY gate_inbox
    WHERE state = 'open' AND weight < ?1
      AND (?4 IS NULL OR ?4 = CASE WHEN change IS NOT NULL THEN 2 WHEN artifact IS NULL THEN 1 ELSE 0 END)
    ORDER BY weight DESC, id
    LIMIT ?3
) AS lower
ORDER BY weight DESC, id
LIMIT ?3
