-- Those that no attempt and no run has stored, with whether a run names them all the same.
SELECT f.id, f.scope, f.sha256,
       CASE WHEN EXISTS (SELECT 1 FROM artifact_ref r WHERE r.artifact = f.id)
              OR EXISTS (SELECT 1 FROM run_output o WHERE o.artifact = f.id) THEN 1 ELSE 0 END
FROM artifact f
WHERE f.task IS NULL AND f.run IS NULL AND f.id > $1 AND f.id < $2
ORDER BY f.id
LIMIT $3
