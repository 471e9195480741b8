SELECT action, sum(entries), min(first_at), max(last_at)
FROM audit_count
WHERE (?1 IS NULL OR chain IN (SELECT value FROM json_each(?1)))
GROUP BY action
