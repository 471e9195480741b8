-- The next key is the largest one and 1, as SQLite counts: whoever writes has the store's lock.
INSERT INTO lane (id, queue, terms)
SELECT coalesce(max(id), 0) + 1, $1::bigint, $2::text FROM lane
ON CONFLICT (queue, (md5(terms))) DO UPDATE SET terms = excluded.terms
RETURNING id
