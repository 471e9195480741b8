-- Only the newest part of a scope counts.
DELETE FROM scope_seq
WHERE (scope, part) IN (SELECT o.scope, o.part FROM scope_seq AS o
                        WHERE o.part < (SELECT max(n.part) FROM scope_seq AS n WHERE n.scope = o.scope)
                        LIMIT ?1)
