-- One change of a repository that is not final, if there is any.
SELECT id FROM change
WHERE scope = $1 AND repository = $2 AND state NOT IN (5, 6, 8)
ORDER BY id
LIMIT 1
