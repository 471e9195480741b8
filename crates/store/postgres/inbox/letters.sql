-- What waits after a place of the inbox: the rest with the same weight, then what weighs less; each an index read.
SELECT * FROM (
    SELECT blocked, id FROM dead_letter
    WHERE status = 0 AND blocked = $1 AND id > $2
    ORDER BY id
    LIMIT $3
) AS rest
UNION ALL
SELECT * FROM (
    SELECT blocked, id FROM dead_letter
    WHERE status = 0 AND blocked < $1
    ORDER BY blocked DESC, id
    LIMIT $3
) AS lower
ORDER BY blocked DESC, id
LIMIT $3
