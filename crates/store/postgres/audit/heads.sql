-- From chain to chain by the key, and to the end of each: a start does not read the whole record.
WITH RECURSIVE names (chain) AS (
    SELECT (SELECT chain FROM audit ORDER BY chain LIMIT 1)
    UNION ALL
    SELECT (SELECT a.chain FROM audit a WHERE a.chain > n.chain ORDER BY a.chain LIMIT 1)
    FROM names n
    WHERE n.chain IS NOT NULL
)
SELECT a.chain, a.seq, a.hash
FROM names n
JOIN audit a ON a.chain = n.chain
            AND a.seq = (SELECT b.seq FROM audit b WHERE b.chain = n.chain ORDER BY b.seq DESC LIMIT 1)
