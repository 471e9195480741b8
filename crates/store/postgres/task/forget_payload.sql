UPDATE task SET payload = '{}', reason = CASE WHEN state IN (6, 7) THEN $2 ELSE reason END WHERE id = $1
