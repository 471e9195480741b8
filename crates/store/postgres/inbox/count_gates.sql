SELECT count(*) FROM (
    SELECT 1 FROM gate
    WHERE state = 'open' AND ($2::bigint IS NULL OR $2 = CASE WHEN change IS NOT NULL THEN 2 WHEN artifact IS NULL THEN 1 ELSE 0 END)
    LIMIT $1
) AS found
