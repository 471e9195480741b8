-- Scopes with more letters that nobody may evict than are meant to be kept.
SELECT s.name, count(*) FROM dead_letter d JOIN scope s ON s.id = d.scope
WHERE d.status IN (0, 1)
GROUP BY s.name
HAVING count(*) > $1
ORDER BY s.name
