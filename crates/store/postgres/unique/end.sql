-- Many at once: the parameter is a list.
DELETE FROM unique_key WHERE task = ANY ($1::bigint[])
