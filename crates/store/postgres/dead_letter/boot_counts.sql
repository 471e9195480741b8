SELECT scope, status, count(*) FROM dead_letter GROUP BY scope, status ORDER BY scope, status
