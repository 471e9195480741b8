SELECT count(*) FROM (
SELECT 1 FROM token
WHERE ?1 IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(token.scopes) WHERE value NOT IN (SELECT value FROM json_each(?1)))
LIMIT ?2)
