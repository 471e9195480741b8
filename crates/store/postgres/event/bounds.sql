-- Two look-ups at the ends; one min and max together would read the whole table.
SELECT coalesce((SELECT seq FROM event ORDER BY seq LIMIT 1), 0),
       coalesce((SELECT seq FROM event ORDER BY seq DESC LIMIT 1), 0)
