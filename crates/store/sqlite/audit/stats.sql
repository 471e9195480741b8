SELECT action, count(*), min(time), max(time)
FROM audit
WHERE (?1 IS NULL OR chain IN (SELECT value FROM json_each(?1)))
GROUP BY action
