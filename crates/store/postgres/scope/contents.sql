SELECT (SELECT count(*) FROM template WHERE scope = $1), (SELECT count(*) FROM repository WHERE scope = $1),
       (SELECT count(*) FROM dead_letter WHERE scope = $1)
