SELECT d.status, count(*) FROM dead_letter d JOIN scope s ON s.id = d.scope
WHERE ?1 IS NULL OR s.name IN (SELECT value FROM json_each(?1))
GROUP BY d.status
